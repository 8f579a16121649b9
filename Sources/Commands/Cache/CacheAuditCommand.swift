import ArgumentParser
import Cache
import Postgres
import Primitives
import Redis
import WalletCache

/// `ironforge cache audit`.
struct CacheAuditCommand: CronCommand {
  static let configuration = CommandConfiguration(
    commandName: "audit",
    abstract: "Compare Redis with one snapshot of the database.",
    discussion: """
      Finds values that are not what their row says (stale), rows without a value (missing), and values without a row \
      (orphaned). What differs is looked at again in a newer snapshot, so a write under way is no finding. Nothing is \
      changed. Without --all, rows and keys are drawn at random.

      EXIT CODES: 0 nothing found; 10 something was found of the kinds in --fail-on.

      EXAMPLES:
        ironforge cache audit
        ironforge cache audit --all --scope users --json
        ironforge cache audit --all --fail-on stale,orphaned --quiet
      """)

  @Option(
    help: ArgumentHelp("How many rows of each table, and how many keys (default 1000).", valueName: "n"))
  var sample: Int?

  @Flag(help: "Every row and every key.")
  var all = false

  @Option(help: ArgumentHelp("Which rows: users, wallets or all.", valueName: "scope"))
  var scope = CacheScope.all

  @Option(
    help: ArgumentHelp(
      "Only rows of users who logged in within this time, such as 7d, can be missing.", valueName: "time"))
  var activeWithin: HumanDuration?

  @Option(
    help: ArgumentHelp(
      "What makes the exit code 10: stale, missing, orphaned (default all).", valueName: "kinds"))
  var failOn = FindingKinds.all

  @OptionGroup(title: "For cron") var cron: CronOptions
  @OptionGroup(title: "Global options") var global: GlobalOptions

  var runName: String { "cache audit" }
  /// It changes nothing, so several do no harm. Only who asks for it waits for others.
  var lockName: String? { cron.lockWait == nil ? nil : runName }

  private static let sampleDefault = 1000
  private static let samples = 1...1_000_000

  func validate() throws {
    if all, sample != nil { throw ValidationError("--all and --sample contradict each other.") }
    if let sample, !Self.samples.contains(sample) {
      throw ValidationError("--sample must be from 1 to \(Self.samples.upperBound).")
    }
  }

  func run(in context: CommandContext) throws {
    let activeSince = activeWithin.map { Timestamp.now().earlier(by: $0.duration) }
    let plan = AuditPlan(
      tables: scope.tables, sample: all ? nil : sample ?? Self.sampleDefault, activeSince: activeSince)
    let progress = context.progress("comparing")
    defer { progress.finish() }
    let sessions = (
      try context.openCancellableSession(as: "ironforge cache audit"),
      try context.openCancellableSession(as: "ironforge cache audit")
    )
    var audit = CacheAudit(
      plan, store: try context.fencedStore(), redis: try context.openRedis(), sessions: sessions,
      check: { try context.signals.check() }, onProgress: { progress.update(done: Int64($0)) })
    let tally = try audit.run()
    progress.finish()
    context.itemCount = Int64(tally.checked)
    let fails = failOn.kinds.contains { tally.counts[$0, default: 0] > 0 }
    try context.output.render(AuditReport(tally: tally), isSuccess: !fails)
    if fails { throw ExitCode(.found) }
  }
}

/// What `--fail-on` names.
struct FindingKinds: ExpressibleByArgument, CustomStringConvertible {
  let kinds: [AuditFinding.Kind]

  static let all = FindingKinds(kinds: AuditFinding.Kind.allCases)

  init(kinds: [AuditFinding.Kind]) { self.kinds = kinds }

  init?(argument: String) {
    let words = argument.split(separator: ",", omittingEmptySubsequences: false)
    let kinds = words.compactMap { AuditFinding.Kind(rawValue: String($0)) }
    guard kinds.count == words.count else { return nil }
    self.kinds = kinds
  }

  var description: String { kinds.map(\.rawValue).joined(separator: ",") }
}

/// One finding as it is printed.
struct FindingRow: TableRow {
  static let tableHeader: [TableColumn] = ["kind", "key", "cause", .number("age_ms"), .number("ttl_ms")]
  /// For people, whose durations have units.
  static let textHeader: [TableColumn] = ["kind", "key", "cause", .number("age"), .number("ttl")]
  let finding: AuditFinding

  private var timeLeft: Int64? { finding.timeLeft.map { Int64($0.settingMilliseconds) } }

  var tableRow: [String] {
    [
      finding.kind.rawValue, finding.key, finding.cause.rawValue,
      finding.ageMilliseconds.map { humanDuration(.milliseconds($0)) } ?? "",
      finding.timeLeft.map(humanDuration) ?? "",
    ]
  }

  var json: JSON {
    [
      "kind": .string(finding.kind.rawValue), "key": .string(finding.key),
      "cause": .string(finding.cause.rawValue), "reason": .string(finding.cause.sentence),
      "age_ms": finding.ageMilliseconds.map(JSON.integer) ?? .null,
      "ttl_ms": timeLeft.map(JSON.integer) ?? .null,
    ]
  }
}

/// What an audit came to (SPEC section 9).
struct AuditReport: Renderable {
  let tally: AuditTally

  private func count(_ kind: AuditFinding.Kind) -> Int { tally.counts[kind, default: 0] }

  var json: JSON {
    [
      "checked": .integer(Int64(tally.checked)), "fresh": .integer(Int64(tally.fresh)),
      "stale": .integer(Int64(count(.stale))), "missing": .integer(Int64(count(.missing))),
      "orphaned": .integer(Int64(count(.orphaned))),
      "findings": .array(tally.findings.map { FindingRow(finding: $0).json }),
      "unlisted": .integer(Int64(tally.unlisted)),
    ]
  }

  var text: String {
    var parts = [
      "Compared \(tally.checked) keys: \(tally.fresh) fresh, \(count(.stale)) stale, \(count(.missing)) missing, "
        + "\(count(.orphaned)) orphaned."
    ]
    if !tally.findings.isEmpty {
      parts.append(table(FindingRow.textHeader, tally.findings.map { FindingRow(finding: $0).tableRow }))
      var causes: [AuditFinding.Cause] = []
      for finding in tally.findings where !causes.contains(finding.cause) { causes.append(finding.cause) }
      parts.append(causes.map { "\($0.rawValue): \($0.sentence)" }.joined(separator: "\n"))
    }
    if tally.unlisted > 0 { parts.append("And \(tally.unlisted) more.") }
    return parts.joined(separator: "\n\n")
  }

  var csv: (header: [String], rows: [[String]]) {
    (FindingRow.csvHeader, tally.findings.map { FindingRow(finding: $0).csvRow })
  }
}

extension AuditFinding.Cause {
  /// What it means, and what to do.
  var sentence: String {
    switch self {
    case .outboxPending:
      "its write could not reach Redis and waits in the outbox; `ironforge job run drain-outbox` ends that"
    case .unfencedWrite:
      "the row, or the value, was written by a program that does not fence; `ironforge cache invalidate KEY` takes it out"
    case .rowCreated:
      "the cache remembers that there was no such row, and a program that does not fence has made it"
    case .rowDeleted:
      "the row was deleted by a program that does not fence; `ironforge cache invalidate KEY` takes it out"
    case .foreignType: "it holds something else than a value; another program has written it"
    case .invalidated: "a write took the value away, and nobody has read it since"
    case .notFilled: "nobody has read it, or its life was over; `ironforge cache warmup` fills it"
    }
  }
}
