import ArgumentParser
import Cache
import Configuration
import Glibc
import Postgres
import Primitives
import Redis
import WalletCache

/// `ironforge cache warmup`.
struct CacheWarmup: CronCommand, ConcurrentCommand {
  static let configuration = CommandConfiguration(
    commandName: "warmup",
    abstract: "Fill Redis from the database.",
    discussion: """
      Reads users and wallets in the order of their ids, in constant memory, and writes them as user:ID and wallet:ID, \
      while others read and write. A value that a write makes obsolete meanwhile is never put back: such a row is \
      read anew, and left to its next reader if it is busy still ("refused"). Values that stood there already live \
      anew ("fresh").

      With --from-replica the rows are loaded from the first of database.replicas that can be reached. Redis refuses \
      what it may not have seen yet: such rows are left to their next readers too.

      A stop and another run do no harm. The first SIGTERM or Ctrl-C finishes the chunk that is under way.

      EXIT CODES: 0 done; 3 more than half of the rows were refused; 69 PostgreSQL or Redis is away, and stayed away for some seconds; 75 another warmup of this \
      database is at work; 78 a replica is asked for, and none is configured, or it is no standby; 130, 143 stopped.

      EXAMPLES:
        ironforge cache warmup --active-within 7d --quiet
        ironforge cache warmup --scope users --rate 20000 --ttl 7200
        ironforge cache warmup --dry-run --json
      """)

  @Option(help: ArgumentHelp("Which rows: users, wallets or all.", valueName: "scope"))
  var scope = CacheScope.all

  @Option(
    help: ArgumentHelp(
      "Only users who logged in within this time, and their wallets, such as 7d.", valueName: "time"))
  var activeWithin: HumanDuration?

  @Option(
    help: ArgumentHelp(
      "How long the values live, 1 to 31536000; cache.warmup_ttl_secs if left out.", valueName: "seconds"))
  var ttl: Int?

  @Option(help: ArgumentHelp("The most rows a second.", valueName: "n"))
  var rate: Int?

  @Flag(help: "Load the rows from a replica instead of the primary.")
  var fromReplica = false

  @Flag(help: "Compare and count, and write nothing.")
  var dryRun = false

  @OptionGroup(title: "For cron") var cron: CronOptions
  @OptionGroup(title: "Global options") var global: GlobalOptions

  var runName: String { "cache warmup" }

  /// While one lane waits for the database, the other's rows are on their way to Redis; more would not be faster.
  private static let lanes = 2

  func validate() throws {
    if let ttl, !(1...31_536_000).contains(ttl) {
      throw ValidationError("--ttl must be from 1 to 31536000 seconds.")
    }
    if let rate, !(1...100_000_000).contains(rate) {
      throw ValidationError("--rate must be from 1 to 100000000 rows a second.")
    }
  }

  func runConcurrently(in context: CommandContext) async throws {
    let signals = context.signals
    let registration = try signals.onStop {}
    defer { withExtendedLifetime(registration) {} }
    let configuration = try context.configuration().values
    var plan = WarmupPlan()
    plan.timeToLive = .seconds(ttl ?? configuration.cache.warmupTTLSeconds)
    plan.rate = rate
    plan.isDryRun = dryRun
    let activeSince = activeWithin.map { Timestamp.now().earlier(by: $0.duration) }
    let name = "ironforge cache warmup"
    let replica = fromReplica ? try context.replicaConnector(as: name) : nil
    let source = RowSource(scope.tables, activeSince: activeSince, replica: replica) {
      try context.openSession(as: name)
    }
    let warmup = Warmup(
      plan, store: try context.fencedStore(), keys: CachedTable.keys, source: source,
      shouldStop: { signals.received != nil })
    let progress = context.progress(dryRun ? "comparing" : "warming", total: try total(context))
    let start = monotonicNanoseconds()
    do {
      defer {
        progress.finish()
        context.itemCount = Int64(warmup.progress.scanned)
      }
      try await warmup.run(try context.redisConnections(Self.lanes)) { tally in
        progress.update(done: Int64(tally.lookedAt))
      }
    } catch let failure as any Failure where failure.kind == .unreachable {
      throw interrupted(failure, warmup.progress)
    }
    let nanoseconds = monotonicNanoseconds() - start
    if let signal = signals.received {
      var failure = Signals.failure(for: signal)
      failure.message +=
        "; \(warmup.progress.written + warmup.progress.fresh) values had been written by then"
      failure.hint = "run the same command again: what is there already does no harm"
      throw failure
    }
    try report(warmup.progress, nanoseconds, context)
  }

  /// A few refused rows are those that were being written. When it is nearly all, nothing can be filled now.
  private func report(_ tally: WarmupTally, _ nanoseconds: Int64, _ context: CommandContext) throws {
    let isCold = tally.refused > tally.scanned / 2
    try context.output.render(
      WarmupReport(tally: tally, nanoseconds: nanoseconds, isDryRun: dryRun), isSuccess: !dryRun && !isCold)
    guard isCold else { return }
    let replica = fromReplica ? ", and the replica must have seen its end" : ""
    context.messages.warning(
      "\(tally.refused) of \(tally.scanned) rows were refused: a long transaction that writes cached rows must be over "
        + "first\(replica); see pg_stat_activity, then run this again")
    throw ExitCode(.partial)
  }

  /// How many rows there are, roughly: as many as the planner thinks.
  private func total(_ context: CommandContext) throws -> Int64? {
    guard context.showsProgress else { return nil }
    return try context.openSession().estimatedRows(of: scope.tables)
  }

  private func interrupted(_ failure: any Failure, _ tally: WarmupTally) -> SimpleFailure {
    SimpleFailure(
      failure.kind, code: failure.code,
      message: "\(failure.message); \(tally.written + tally.fresh) values had been written by then",
      hint: "once it is back, run the same command again: what is there already does no harm",
      isRetryable: true)
  }
}

/// What `--scope` names.
enum CacheScope: String, ExpressibleByArgument, CaseIterable {
  case users, wallets, all

  var tables: [CachedTable] {
    switch self {
    case .users: [.users]
    case .wallets: [.wallets]
    case .all: CachedTable.allCases
    }
  }
}

/// What a warmup came to (SPEC section 3.3).
struct WarmupReport: TableRow {
  static let tableHeader: [TableColumn] = [
    .number("scanned"), .number("written"), .number("fresh"), .number("refused"), .number("bytes"),
    .number("seconds"), .number("keys_per_second"),
  ]
  let tally: WarmupTally
  let nanoseconds: Int64
  let isDryRun: Bool

  private var rate: Int64 { Int64(Double(tally.scanned) * 1e9 / Double(max(1, nanoseconds))) }

  var tableRow: [String] { csvRow }

  var json: JSON {
    [
      "scanned": .integer(Int64(tally.scanned)), "written": .integer(Int64(tally.written)),
      "fresh": .integer(Int64(tally.fresh)), "refused": .integer(Int64(tally.refused)),
      "bytes": .integer(Int64(tally.bytes)), "seconds": .number((Double(nanoseconds) / 1e6).rounded() / 1000),
      "keys_per_second": .integer(rate), "dry_run": .bool(isDryRun),
    ]
  }

  var text: String {
    let verb = isDryRun ? "Would warm" : "Warmed"
    let time = humanDuration(.nanoseconds(nanoseconds))
    return
      "\(verb) \(tally.scanned) rows, \(humanSize(bytes: Int64(tally.bytes))), in \(time) (\(rate) a second): "
      + "\(tally.written) new or changed, \(tally.fresh) already there, \(tally.refused) refused."
  }
}
