internal import Histogram
internal import Primitives

/// Looks on while a load runs: what it costs between the begin of the measurement and its end, and the file of its
/// histograms.
public struct LoadWatch: Sendable {
  /// What was seen.
  public struct Findings: Sendable {
    /// What the generator took of the machine.
    public var generator = GeneratorUse()
    /// What the servers have counted.
    public var servers = ServerWatch.Findings()
  }

  private let run: LoadRun
  private let log: HistogramLog?
  private var servers: ServerWatch
  private var accounts = GeneratorAccounts()
  private var isMeasuring = false
  /// What became of the file: a full disk must cost neither the measurement nor its report.
  private var writing: Result<Void, any Error> = .success(())

  /// How often it looks.
  private static let pause: Duration = .milliseconds(200)

  /// - Parameters:
  ///   - servers: reads their counters.
  ///   - log: gets a line a second, where the run keeps histograms.
  public init(_ run: LoadRun, servers: ServerWatch, log: HistogramLog? = nil) {
    self.run = run
    self.servers = servers
    self.log = log
  }

  /// Looks on until the task is cancelled, which is how the end of the load is told.
  ///
  /// - Returns: itself, to be finished.
  public func observe() async -> LoadWatch {
    var watch = self
    while !Task.isCancelled {
      await watch.look()
      await watch.rest()
    }
    return watch
  }

  /// Ends the accounts of the generator. To be called while its threads are still there.
  public mutating func endOfLoad() {
    if isMeasuring { accounts.look() } else { beginFile() }
    writeFinished()
  }

  /// Says whether the file has taken everything.
  ///
  /// - Throws: `output_failed`.
  public func checkFile() throws { try writing.get() }

  /// Reads the servers' counters for the last time, when the connections of the load are closed: a server process reports what
  /// it has counted once a second at most, and when it ends.
  public mutating func finish() async -> Findings {
    Findings(
      generator: accounts.use, servers: isMeasuring ? await servers.end() : ServerWatch.Findings())
  }

  private mutating func look() async {
    guard isMeasuring || monotonicNanoseconds() >= run.schedule.measuredFrom else { return }
    if !isMeasuring {
      isMeasuring = true
      accounts.begin()
      beginFile()
      await servers.begin()
    }
    accounts.look()
    await servers.look()
    writeFinished()
  }

  /// By the wall clock.
  private var measurementBegin: Timestamp {
    Timestamp.now() + .nanoseconds(run.schedule.measuredFrom - monotonicNanoseconds())
  }

  private mutating func writeFinished() {
    write { [run] log in
      for (second, latencies) in run.recorder.takeFinished() { try log.append(second: second, latencies) }
    }
  }

  private mutating func beginFile() {
    let begin = measurementBegin
    write { try $0.begin(begin) }
  }

  private mutating func write(_ body: (HistogramLog) throws -> Void) {
    guard let log, case .success = writing else { return }
    do { try body(log) } catch { writing = .failure(error) }
  }

  /// Sleeps until it looks again: at the begin of the measurement, then from time to time.
  private func rest() async {
    let left = Duration.nanoseconds(run.schedule.measuredFrom - monotonicNanoseconds())
    do {
      try await Task.sleep(for: left > .zero ? min(left, Self.pause) : Self.pause)
    } catch {
      // Cancelled: the load has ended, which the caller sees for itself.
      return
    }
  }
}
