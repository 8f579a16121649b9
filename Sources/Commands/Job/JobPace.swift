import ArgumentParser
import Configuration
import Jobs

/// How hard a job works: options of `job run` and `job resume`.
struct JobPace: ParsableArguments {
  @Option(
    help: ArgumentHelp("Rows of a chunk, which is a transaction; batch.chunk_size if absent.", valueName: "n")
  )
  var chunkSize: Int?

  @Option(
    help: ArgumentHelp(
      "Chunks at work at the same time, each on a connection; batch.concurrency if absent.", valueName: "n"))
  var concurrency: Int?

  @Option(
    help: ArgumentHelp("Start no chunk while a replica is further behind than this.", valueName: "seconds"))
  var maxLag: Double?

  @Option(help: ArgumentHelp("Rows a second, at most.", valueName: "n"))
  var maxRate: Int?

  @Option(help: ArgumentHelp("Give up when more rows than this have failed; 100 if absent.", valueName: "n"))
  var maxFailures: Int?

  func validate() throws {
    func check<N: Comparable>(_ value: N?, _ range: ClosedRange<N>, _ name: String) throws {
      guard let value, !range.contains(value) else { return }
      throw ValidationError("--\(name) must be from \(range.lowerBound) to \(range.upperBound).")
    }
    try check(chunkSize, 1...100_000, "chunk-size")
    try check(concurrency, 1...1000, "concurrency")
    try check(maxLag, 0...86_400, "max-lag")
    try check(maxRate, 1...100_000_000, "max-rate")
    try check(maxFailures, 0...1_000_000, "max-failures")
  }

  /// The settings of a new run.
  ///
  /// - Throws: `ConfigurationFailure`.
  func settings(in context: CommandContext) throws -> RunSettings {
    let batch = try context.configuration().values.batch
    return try applied(
      to: RunSettings(chunkSize: batch.chunkSize, concurrency: batch.concurrency), in: context)
  }

  /// The settings of a run with what was asked for now.
  ///
  /// - Throws: `ConfigurationFailure`.
  func applied(to settings: RunSettings, in context: CommandContext) throws -> RunSettings {
    var settings = settings
    if let chunkSize { settings.chunkSize = chunkSize }
    if let concurrency { settings.concurrency = concurrency }
    if let maxLag { settings.maxLagSeconds = maxLag }
    if let maxRate { settings.maxRate = maxRate }
    if let maxFailures { settings.maxFailures = maxFailures }
    // Two more connections are for the bookkeeping and for the lock.
    let database = try context.configuration().values.database
    settings.concurrency = max(1, min(settings.concurrency, database.maxConnections - 2))
    // A backend that was left alone ends its statement first.
    settings.leftoverPatience = .seconds(database.statementTimeoutSeconds + 60)
    return settings
  }
}

/// A verb of `job run`. Its lock is the engine's: one process for each job and its options, not one for all
/// jobs.
protocol JobRunVerb: ConcurrentCommand, CronCommand {
  var pace: JobPace { get }
}

extension JobRunVerb {
  var runName: String { "job run \(Self._commandName)" }
  var lockName: String? { nil }

  /// How hard the job works, and how long it waits for its turn.
  ///
  /// - Throws: `ConfigurationFailure`.
  func settings(in context: CommandContext) throws -> RunSettings {
    var settings = try pace.settings(in: context)
    settings.lockWait = .seconds(cron.lockWait ?? 0)
    return settings
  }
}
