import ArgumentParser
import CacheRace
import Configuration
import Glibc
import Postgres
import Primitives

/// `ironforge cache race`.
struct CacheRaceCommand: ConcurrentCommand {
  static let configuration = CommandConfiguration(
    commandName: "race",
    abstract:
      "Race readers against writers through the cache and count stale reads; exit 10 when there is one.",
    discussion: """
      Readers and writers, each with connections of its own, go for rows that exist for the race alone, with delays between \
      load and fill and between fence and COMMIT, writers that die, and keys and side hashes that vanish. Half of the \
      readers load from the first of database.replicas, where there is one. A read is stale when Redis served a version \
      older than one whose COMMIT had returned before the read began. Exit 10 when any was; 1 when Redis answered none, so that \
      nothing is proved.

      It is safe beside a backend at work: its table is ironforge.race_rows, its keys begin with race:, and both are removed \
      at the end. Ctrl-C ends it early with the figures so far.

      EXAMPLES:
        ironforge cache race
        ironforge cache race --seconds 60 --json
      """)

  @Option(help: ArgumentHelp("How long to race, 1 to 86400.", valueName: "n"))
  var seconds = 10

  @OptionGroup(title: "Global options") var global: GlobalOptions

  func validate() throws {
    guard (1...86_400).contains(seconds) else { throw ValidationError("--seconds must be from 1 to 86400.") }
  }

  func runConcurrently(in context: CommandContext) async throws {
    // Registering anything makes the first signal end the race in order, with its figures.
    let registration = try context.signals.onStop {}
    defer { withExtendedLifetime(registration) {} }
    let race = try Race(context.raceCourse(.seconds(seconds)))
    let progress = context.progress("racing", total: Int64(seconds))
    let ticker = Task { [seconds] in
      for second in 1...seconds {
        try await Task.sleep(for: .seconds(1))
        progress.update(done: Int64(second))
      }
    }
    defer { ticker.cancel() }
    let report = try await race.run()
    ticker.cancel()
    progress.finish()
    if let reason = report.leftBehind {
      context.messages.warning("rows and keys of the race are left, which the next one removes: \(reason)")
    }
    context.itemCount = Int64(report.reads)
    try context.output.render(RaceReportView(report: report))
    if report.stale > 0 { throw ExitCode(.found) }
    try context.signals.check()
    if report.hits == 0 { throw Self.nothingProved(report) }
  }

  /// Without a hit there was nothing that could have been stale.
  private static func nothingProved(_ report: RaceReport) -> SimpleFailure {
    SimpleFailure(
      .unexpected, code: "race_without_hits",
      message: "Redis answered none of \(report.reads) reads, so the race proves nothing",
      hint: report.fills > 0
        ? "race longer, or look whether Redis has memory left: what was filled was gone when it was read"
        : report.refusals > 0
          ? "end the long transactions that write cached rows (pg_stat_activity, pg_prepared_xacts), which keep values "
            + "out of the cache while they last, and race again"
          : "race longer: vouching for a Redis with many keys takes a while before anything is filled")
  }
}

extension CommandContext {
  fileprivate func raceCourse(_ duration: Duration) throws -> RaceCourse {
    let configuration = try configuration()
    let database = configuration.values.database
    var named = SessionOptions(database)
    named.applicationName = "ironforge race"
    let options = named
    let primary = try ConnectionString(try configuration.database().value)
    let openRedis = try redisConnector(url: try configuration.redis().value)
    var course = RaceCourse(
      duration: duration, database: { try Session(connecting: primary, options: options) },
      redis: { try openRedis(.seconds(3600)) })
    course.shouldStop = { [signals] _ in signals.received != nil }
    if let replica = database.replicas.first {
      let target = try ConnectionString(replica)
      course.standby = { try Session(connecting: target, options: options) }
    }
    #if DEBUG
      // The control, by which a test shows that stale reads are found and what is said of them.
      if let fences = getenv("IRONFORGE_RACE_FENCES"), String(cString: fences) == "off" {
        course.scheme = .deleteAfterCommit
      }
    #endif
    return course
  }
}

/// What the race found (SPEC section 9).
struct RaceReportView: Renderable {
  let report: RaceReport

  private var figures: [(name: String, value: Int)] {
    [
      ("reads", report.reads), ("hits", report.hits), ("writes", report.writes), ("stale", report.stale),
      ("fills", report.fills), ("refused", report.refusals), ("writers_died", report.deaths),
      ("keys_lost", report.losses), ("establishments", report.establishments),
      ("redis_errors", report.redisErrors),
    ]
  }

  private var seconds: Double { (report.seconds * 1000).rounded() / 1000 }

  var json: JSON {
    let first = report.staleReads.map { read -> JSON in
      [
        "key": .string(read.key), "served": .integer(read.served), "committed": .integer(read.committed),
      ]
    }
    var fields: [(key: String, value: JSON)] = [("seconds", .number(seconds))]
    fields += figures.map { ($0.name, JSON.integer(Int64($0.value))) }
    fields += [("standby", .bool(report.hasStandby)), ("stale_reads", .array(first))]
    return .object(fields)
  }

  var text: String {
    let verdict =
      report.stale == 0
      ? "No stale read among \(report.hits) hits."
      : "\(report.stale) of \(report.hits) hits were STALE."
    let first = report.staleReads.map {
      "\($0.key): version \($0.served) was served after version \($0.committed) had been committed"
    }
    let rows = table(["figure", .number("value")], figures.map { [$0.name, String($0.value)] })
    return ([rows] + first + [verdict]).joined(separator: "\n")
  }

  var csv: (header: [String], rows: [[String]]) {
    (
      ["seconds"] + figures.map(\.name) + ["standby"],
      [["\(seconds)"] + figures.map { String($0.value) } + [String(report.hasStandby)]]
    )
  }
}
