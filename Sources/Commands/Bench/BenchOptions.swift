import ArgumentParser
package import Bench
import Primitives

/// How hard, how long, and where to write the figures: the options of every `bench` command.
package struct BenchOptions: ParsableArguments, Sendable {
  @Option(help: ArgumentHelp("Connections at work at the same time, 1 to 1000.", valueName: "n"))
  package var connections = 8

  @Option(help: ArgumentHelp("How long to measure; 10s if absent.", valueName: "time"))
  var duration: HumanDuration?

  @Option(help: ArgumentHelp("How long to run before measuring.", valueName: "time"))
  var warmup = HumanDuration(seconds: 1)

  @Option(
    help: ArgumentHelp("Requests a second over all connections; a closed loop if absent.", valueName: "n"))
  var rate: Double?

  @Option(
    help: ArgumentHelp(
      "Rates one after the other instead of --rate and --duration: 30s:100,1m:200 is 100 requests a second for 30 s, then 200 for a minute.",
      valueName: "time:n,…"))
  var stages: String?

  @Option(
    help: ArgumentHelp(
      "Also write the latencies second by second, in HdrHistogram's log format.", valueName: "file"),
    completion: .file(extensions: ["hlog"]))
  var hdr: String?

  @Option(
    help: ArgumentHelp("Also write the figures as a page that stands on its own.", valueName: "file"),
    completion: .file(extensions: ["html"]))
  var html: String?

  package init() {}

  /// What the help of every `bench` command says of them.
  package static let help = """
    Without --rate each connection sends its next request when it has the answer to the last (a closed loop): the figure is what \
    the system can do. With --rate or --stages requests are due on a schedule, at even distances, whether answers come or not \
    (an open loop), and latency counts from when a request was due: the figure is what users would see. A rate of --stages holds \
    from the begin of its stage to the end; there is no ramp. What was due and could not be sent within a second after the end \
    is an error, not_sent. The targets stand under [targets] in the configuration.

    EXIT CODES: 0; 64 wrong options; 69 a server is away; 78 http: ironforge-serve is not installed; 99 a target was missed, or nothing was measured; 130 and 143 it was \
    stopped, after the report of what was measured until then.
    """

  /// Longer than any measurement, and short enough for a clock of nanoseconds.
  private static let timeMax: Duration = .seconds(30 * 86_400)
  private static let rateMax = 1e6
  private static let stagesMax = 100

  package func validate() throws {
    guard (1...1000).contains(connections) else {
      throw ValidationError("--connections must be from 1 to 1000.")
    }
    if let duration, !(duration.duration > .zero && duration.duration <= Self.timeMax) {
      throw ValidationError("--duration must be longer than nothing, up to 30d.")
    }
    guard warmup.duration <= Self.timeMax else { throw ValidationError("--warmup must be 30d at most.") }
    if let rate, !(rate > 0 && rate <= Self.rateMax) {
      throw ValidationError("--rate must be above 0, up to 1000000.")
    }
    if stages != nil, rate != nil || duration != nil {
      throw ValidationError("--stages says rates and durations itself: leave out --rate and --duration.")
    }
    _ = try parsedStages()
    if let hdr, hdr == html { throw ValidationError("--hdr and --html cannot be the same file.") }
  }

  /// What is to be sent.
  ///
  /// - Throws: `ValidationError`, which `validate` has thrown before.
  package func plan() throws -> LoadPlan {
    let duration = (duration ?? HumanDuration(seconds: 10)).duration
    let arrivals: LoadPlan.Arrivals =
      if let stages = try parsedStages() {
        .open(stages)
      } else if let rate {
        .open([LoadStage(duration: duration, rate: rate)])
      } else {
        .closed(duration)
      }
    return LoadPlan(connections: connections, warmup: warmup.duration, arrivals: arrivals)
  }

  private func parsedStages() throws -> [LoadStage]? {
    guard let stages else { return nil }
    let parsed = try stages.split(separator: ",", omittingEmptySubsequences: false).map(Self.stage)
    guard parsed.count <= Self.stagesMax else {
      throw ValidationError("--stages takes \(Self.stagesMax) stages at most.")
    }
    guard parsed.reduce(.zero, { $0 + $1.duration }) <= Self.timeMax else {
      throw ValidationError("--stages must not last longer than 30d together.")
    }
    return parsed
  }

  private static func stage(_ text: Substring) throws -> LoadStage {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, let duration = Duration(text: parts[0]), duration > .zero, duration <= timeMax,
      parts[1].allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ".") }), let rate = Double(parts[1]),
      rate > 0, rate <= rateMax
    else {
      throw ValidationError(
        "--stages: \"\(text)\" is no stage. A stage is a time, a colon and a rate above 0 up to 1000000, as in 30s:100; commas stand between stages."
      )
    }
    return LoadStage(duration: duration, rate: rate)
  }
}
