import ArgumentParser
import Indexes
import Jobs
import Maintenance
import Primitives

/// `ironforge job run analyze-stale`.
struct JobRunAnalyzeStale: JobRunVerb {
  static let configuration = CommandConfiguration(
    commandName: AnalyzeStaleJob.name,
    abstract: "ANALYZE the tables whose statistics are missing or out of date.",
    discussion: """
      A table is stale when it was never analysed, or not since an upgrade, or when more than 50 rows and more than the given \
      share of it have changed since; a partitioned one when it never was. `ironforge db analyze --stale-only` says which \
      and why. One that the role may not analyse is listed as failed.

      EXAMPLES:
        ironforge job run analyze-stale --dry-run
        ironforge job run analyze-stale --schema public --threshold 0.02
      """)

  @Option(help: ArgumentHelp("Only tables of this schema, by its exact name.", valueName: "name"))
  var schema: String?

  @Option(
    help: ArgumentHelp(
      "The share of changed rows from which on a table is stale, 0 to 1.", valueName: "share"))
  var threshold = AnalyzeStaleJob.thresholdDefault

  @Flag(help: "Say what would be done, and write nothing.")
  var dryRun = false

  @OptionGroup(title: "Pace") var pace: JobPace
  @OptionGroup(title: "For cron") var cron: CronOptions
  @OptionGroup(title: "Global options") var global: GlobalOptions

  func validate() throws {
    guard (0...1).contains(threshold) else { throw ValidationError("--threshold must be from 0 to 1.") }
  }

  func runConcurrently(in context: CommandContext) async throws {
    let job = AnalyzeStaleJob(schema: schema, threshold: threshold)
    let execution = JobExecution(job, try settings(in: context), in: context)
    try await dryRun ? execution.rehearse() : execution.run()
  }
}

/// `ironforge job run rebuild-bloated`.
struct JobRunRebuildBloated: JobRunVerb {
  static let configuration = CommandConfiguration(
    commandName: RebuildBloatedJob.name,
    abstract: "REINDEX CONCURRENTLY the indexes that the audit calls bloated, one at a time.",
    discussion: """
      Takes the indexes that `index audit --only bloated` wants rebuilt, and drops what an interrupted REINDEX left. Reads \
      and writes go on meanwhile. An index whose table has a transaction that REINDEX would have to wait for is waited for, \
      and then passed over and listed as failed: a later run tries it again. Needs room for a second copy of the largest \
      index, the owner's rights, and a session of its own, not one of a pooler in transaction mode. After kill -9 run it \
      again: what was half done is cleared away, what was done is not done twice.

      EXAMPLES:
        ironforge job run rebuild-bloated --dry-run
        ironforge job run rebuild-bloated --schema public --min-waste 100MB --max-lag 30
      """)

  @Option(help: ArgumentHelp("Only indexes of this schema, by its exact name.", valueName: "name"))
  var schema: String?

  @Option(help: ArgumentHelp("Only indexes that waste at least this.", valueName: "size"))
  var minWaste = ByteCount(bytes: RebuildBloatedJob.wasteDefault)

  @Option(
    help: ArgumentHelp(
      "How long to wait for an old transaction before an index is passed over.", valueName: "time"))
  var wait = HumanDuration(seconds: RebuildBloatedJob.patienceDefault.components.seconds)

  @Flag(help: "Say what would be done, and write nothing.")
  var dryRun = false

  @OptionGroup(title: "Pace") var pace: JobPace
  @OptionGroup(title: "For cron") var cron: CronOptions
  @OptionGroup(title: "Global options") var global: GlobalOptions

  func runConcurrently(in context: CommandContext) async throws {
    let job = RebuildBloatedJob(schema: schema, wasteBytes: minWaste.bytes, patience: wait.duration)
    let execution = JobExecution(job, try settings(in: context), in: context)
    try await dryRun
      ? execution.rehearse() : execution.run(with: { RebuildSummary(rebuilt: job.tally.rebuilt) })
  }
}

/// What a run has made of the indexes, behind what every run says.
struct RebuildSummary: JobSummary {
  let rebuilt: [RebuiltIndex]

  private var indexes: [RebuiltIndex] { rebuilt.filter { !$0.isLeftover } }
  private var before: Int64 { indexes.reduce(0) { $0 + $1.bytesBefore } }
  private var after: Int64 { indexes.reduce(0) { $0 + $1.bytesAfter } }

  var json: [(key: String, value: JSON)] {
    [
      ("bytes_before", .integer(before)), ("bytes_after", .integer(after)),
      (
        "rebuilt",
        .array(
          rebuilt.map { index in
            [
              "schema": .string(index.name.schema), "index": .string(index.name.name),
              "leftover": .bool(index.isLeftover), "bytes_before": .integer(index.bytesBefore),
              "bytes_after": .integer(index.bytesAfter), "ms": .integer(milliseconds(index.duration)),
            ]
          })
      ),
    ]
  }

  var lines: [String] {
    guard !rebuilt.isEmpty else { return [] }
    let list = rebuilt.map { index in
      [
        index.name.description, humanSize(bytes: index.bytesBefore),
        index.isLeftover ? "dropped" : humanSize(bytes: index.bytesAfter), humanDuration(index.duration),
      ]
    }
    let sum = "\(humanSize(bytes: before)) of indexes became \(humanSize(bytes: after))."
    return [table(["index", .number("before"), .number("after"), .number("time")], list)]
      + (indexes.isEmpty ? [] : [sum])
  }

  var warnings: [String] {
    indexes.filter { $0.bytesAfter > $0.bytesBefore / 4 * 3 }.map { index in
      "\(index.name) was \(humanSize(bytes: index.bytesBefore)) and is \(humanSize(bytes: index.bytesAfter)) now: it was not"
        + " bloated, and the estimate was wrong; `ironforge index audit --exact` reads instead of estimating"
    }
  }

  private func milliseconds(_ duration: Duration) -> Int64 {
    let (seconds, attoseconds) = duration.components
    return seconds * 1000 + attoseconds / 1_000_000_000_000_000
  }
}
