import ArgumentParser
import Ledger
import Primitives

/// `ironforge ledger verify`.
struct LedgerVerify: CronCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Check every law of the ledger in one snapshot; exit 10 when one is broken.",
    discussion: """
      Runs online and blocks no writer. Amounts in violations are minor units.

      EXAMPLES:
        ironforge ledger verify
        ironforge ledger verify --currency USD --json
        ironforge ledger verify --quiet --lock-wait 60 --metrics-file /var/lib/node_exporter/verify.prom
      """)

  @Option(help: ArgumentHelp("Only this currency.", valueName: "code"))
  var currency: String?

  @OptionGroup(title: "For cron") var cron: CronOptions
  @OptionGroup(title: "Global options") var global: GlobalOptions

  var runName: String { "ledger verify" }

  func run(in context: CommandContext) throws {
    let session = try context.openCancellableSession()
    try context.signals.check()
    if let currency { try Ledger(session).requireCurrency(currency) }
    let progress = context.progress("verifying")
    let checks = try LedgerVerification(session).run(currency: currency) { _, index, _ in
      progress.update(done: Int64(index))
    }
    progress.finish()
    context.itemCount = checks.reduce(0) { $0 + $1.checked }
    let report = VerificationReport(checks: checks)
    try context.output.render(report, isSuccess: report.isOK)
    if !report.isOK { throw ExitCode(.found) }
  }
}

/// What the verification found (SPEC section 2.7).
struct VerificationReport: Renderable {
  let checks: [LedgerCheck]

  var isOK: Bool { checks.allSatisfy(\.isOK) }

  var json: JSON {
    [
      "ok": .bool(isOK),
      "checks": .array(
        checks.map { check in
          [
            "name": .string(check.name), "ok": .bool(check.isOK), "checked": .integer(check.checked),
            "violations": .integer(check.violations), "first": .optional(check.first),
          ]
        }),
    ]
  }

  var text: String {
    let rows = table(
      ["check", .number("checked"), .number("violations"), "first"],
      checks.map {
        [$0.name, String($0.checked), $0.isOK ? "none" : String($0.violations), $0.first ?? ""]
      })
    return rows + "\n" + (isOK ? "The ledger is sound." : "The ledger is BROKEN.")
  }

  var csv: (header: [String], rows: [[String]]) {
    (
      ["name", "ok", "checked", "violations", "first"],
      checks.map {
        [$0.name, String($0.isOK), String($0.checked), String($0.violations), $0.first ?? ""]
      }
    )
  }
}
