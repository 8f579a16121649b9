import ArgumentParser
import Configuration
import Indexes
import Postgres
import Primitives

/// `ironforge index audit`.
struct IndexAudit: CronCommand {
  static let configuration = CommandConfiguration(
    commandName: "audit",
    abstract:
      "Find indexes that are unused, redundant, broken or missing, with proof; exit 10 on new findings.",
    discussion: """
      Needs only pg_monitor, changes nothing, reads one snapshot of the catalog. What looks like a finding and is none is \
      told with --verbose, and why. Every server of database.replicas is asked what it reads; one that gives no answer, or \
      streams and is not named there, turns every drop into a review. The ledger of `index snapshot` is added.

      KINDS: \(Finding.Kind.allCases.map(\.rawValue).joined(separator: ", "))

      A baseline is a CSV file with the columns id, reason, until and about: findings that somebody has accepted, each with \
      a reason, until a date. They are left out, and fail no run. With --quiet text has no summary, so that cron mails new \
      findings and nothing else.

      What a bloated index wastes is estimated from the planner's statistics; --exact reads those that look bloated, or of \
      which nothing is known, with the extension pgstattuple. That reads them whole, up to --exact-max each.

      EXAMPLES:
        ironforge index audit
        ironforge index audit --html audit.html --fail-on none
        ironforge index audit --only redundant,duplicate --table orders --verbose
        ironforge index audit --quiet --baseline accepted.csv --fail-on invalid,missing_fk_index
      """)

  @Option(help: ArgumentHelp("Only these kinds of findings.", valueName: "kind,…"))
  var only: IndexFindingKinds?

  @Option(
    help: ArgumentHelp(
      "Exit 10 only on new findings of these kinds; \"none\" for never (default: any).", valueName: "kind,…"))
  var failOn: IndexFindingKinds?

  @Option(
    help: ArgumentHelp("A file of accepted findings.", valueName: "file"),
    completion: .file(extensions: ["csv"]))
  var baseline: String?

  @Flag(help: "Also what is to be kept, and why, and what the baseline accepts.")
  var verbose = false

  @Option(
    help: ArgumentHelp(
      "Also write the report to this file, as one page that needs nothing else.", valueName: "file"),
    completion: .file(extensions: ["html"]))
  var html: String?

  @Flag(help: "Read indexes that look bloated, to know (extension pgstattuple).")
  var exact = false

  @Option(help: ArgumentHelp("The largest index that --exact reads.", valueName: "size"))
  var exactMax = ByteCount(bytes: 1 << 30)

  @OptionGroup var tables: TableOptions
  @OptionGroup(title: "For cron") var cron: CronOptions
  @OptionGroup(title: "Global options") var global: GlobalOptions

  var runName: String { "index audit" }

  func validate() throws {
    if let only, only.kinds.isEmpty { throw ValidationError("--only none would leave nothing.") }
    guard let only, let failOn else { return }
    let absent = failOn.kinds.subtracting(only.kinds).map(\.rawValue).sorted()
    guard absent.isEmpty else {
      throw ValidationError("--fail-on \(absent.joined(separator: ",")) is left out by --only.")
    }
  }

  func run(in context: CommandContext) throws {
    let accepted = try baseline.map { try Baseline(InputFile($0)) }
    let page = try html.map { try DurableFile($0) }
    let session = try context.openCancellableSession()
    let reader = try context.clusterReader(session)
    let ledger = try reader.ledger { warnOfHiddenLedger(context.messages) }
    let catalog = try CatalogReader(session).read()
    let usage = try reader.usage(of: catalog, ledger: ledger)
    try context.signals.check()
    let names = try tables.selection.names(in: catalog)
    let measured = exact ? try readLeaves(catalog, session, context) : [:]
    let report = Audit(catalog, usage: usage, measured: measured).report()
    let chosen = report.findings.filter { finding in
      names.contains(finding.table) && only.map { $0.kinds.contains(finding.kind) } ?? true
    }
    let audited = chosen.map { AuditedFinding($0, accepted, at: catalog.facts.now) }
    let view = AuditView(
      report: report, findings: audited, isVerbose: verbose, hasSummary: !global.isQuiet)
    context.itemCount = Int64(view.new.count)
    if let page {
      let start = Timestamp(microseconds: catalog.facts.now.microseconds - AuditSizes.microsecondsShown)
      let days = usage.hasLedger ? try UsageStore(session).days(since: start) : [:]
      let document = AuditPage(
        report: report, catalog: catalog.with(usage).narrowed(to: names),
        findings: audited.filter { verbose || $0.isNew }, days: days
      ).document
      try page.write { $0 += document }
      try page.commit()
    }
    try context.output.render(view)
    warnOfLockedTables(catalog.facts, context.messages)
    warnOfRepeated(usage.cluster, context.messages)
    if tables.selection.isEverything, only == nil, let accepted {
      tellObsolete(accepted, report.findings, context.messages)
    }
    let fails = view.new.contains { finding in failOn.map { $0.kinds.contains(finding.kind) } ?? true }
    if fails { throw ExitCode(.found) }
  }

  private func readLeaves(
    _ catalog: Catalog, _ session: Session, _ context: CommandContext
  ) throws -> [UInt32: LeafDensity] {
    let seconds = try context.configuration().values.database.statementTimeoutSeconds
    let (found, leftOut) = try LeafReader(session).read(
      catalog, bytesMax: exactMax.bytes, timeout: .seconds(seconds),
      shouldStop: { try context.signals.check() })
    if !leftOut.isEmpty {
      context.messages.warning(
        "not read, because they are larger than --exact-max, take longer than database.statement_timeout_secs, or are locked: "
          + leftOut.map(\.description).joined(separator: ", "))
    }
    return found
  }

  private func tellObsolete(_ baseline: Baseline, _ findings: [Finding], _ messages: Messages) {
    let ids = Set(findings.filter { $0.verdict != .keep }.map(\.id))
    let obsolete = baseline.entries.keys.filter { !ids.contains($0) }.sorted()
    guard !obsolete.isEmpty else { return }
    messages.info("the baseline accepts what is not found any more: \(obsolete.joined(separator: ", "))")
  }
}

/// Kinds of findings on a command line: `unused,invalid`, or `none`.
struct IndexFindingKinds: ExpressibleByArgument {
  let kinds: Set<Finding.Kind>

  init?(argument: String) {
    if argument == "none" {
      kinds = []
      return
    }
    var kinds: Set<Finding.Kind> = []
    for name in argument.split(separator: ",", omittingEmptySubsequences: false) {
      guard let kind = Finding.Kind(rawValue: String(name)) else { return nil }
      kinds.insert(kind)
    }
    self.kinds = kinds
  }

  static var allValueStrings: [String] { Finding.Kind.allCases.map(\.rawValue) }
}
