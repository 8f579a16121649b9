import ArgumentParser
import Configuration
import Indexes
import Primitives

/// `ironforge index audit`.
struct IndexAudit: CronCommand {
  static let configuration = CommandConfiguration(
    commandName: "audit",
    abstract:
      "Find indexes that are unused, redundant, broken or missing, with proof; exit 10 on new findings.",
    discussion: """
      Needs only pg_monitor, changes nothing, reads one snapshot of the catalog. What looks like a finding and is none is
      told with --verbose, and why. Every server of database.replicas is asked what it reads; one that gives no answer, or
      streams and is not named there, turns every drop into a review. The ledger of `index snapshot` is added.

      KINDS: \(Finding.Kind.allCases.map(\.rawValue).joined(separator: ", "))

      A baseline is a CSV file with the columns id, reason, until and about: findings that somebody has accepted, each with
      a reason, until a date. They are left out, and fail no run. With --quiet text has no summary, so that cron mails new
      findings and nothing else.

      EXAMPLES:
        ironforge index audit
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
    let session = try context.openCancellableSession()
    let reader = try context.clusterReader(session)
    let ledger = try reader.ledger { warnOfHiddenLedger(context.messages) }
    let catalog = try CatalogReader(session).read()
    let usage = try reader.usage(of: catalog, ledger: ledger)
    try context.signals.check()
    let names = try tables.selection.names(in: catalog)
    let report = Audit(catalog, usage: usage).report()
    let chosen = report.findings.filter { finding in
      names.contains(finding.table) && only.map { $0.kinds.contains(finding.kind) } ?? true
    }
    let view = AuditView(
      report: report, findings: chosen.map { AuditedFinding($0, accepted, at: catalog.facts.now) },
      isVerbose: verbose, hasSummary: !global.isQuiet)
    context.itemCount = Int64(view.new.count)
    try context.output.render(view)
    warnOfLockedTables(catalog.facts, context.messages)
    warnOfRepeated(usage.cluster, context.messages)
    if tables.selection.isEverything, only == nil, let accepted {
      tellObsolete(accepted, report.findings, context.messages)
    }
    let fails = view.new.contains { finding in failOn.map { $0.kinds.contains(finding.kind) } ?? true }
    if fails { throw ExitCode(.found) }
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
