import ArgumentParser
import Fixtures
import Primitives

/// `ironforge fixtures generate`.
struct FixturesGenerate: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate",
    abstract: "Make up a ledger of any size: users, wallets, and a history of transfers.",
    discussion: """
      One external wallet brings money in; a few wallets are far busier than the rest, one request in a hundred is \
      refused for want of funds. The history covers the 90 days before today (UTC) and passes `ironforge ledger \
      verify`. The same seed gives the same ledger, once a database; another seed adds to it. All of it is one \
      transaction: a run that is stopped leaves nothing behind.

      EXAMPLES:
        ironforge fixtures generate --users 100 --wallets 200 --transfers 10000
        ironforge fixtures generate --users 10000 --wallets 20000 --transfers 1000000 --seed 2 --json
      """)

  @Option(help: ArgumentHelp("Users, 1 to 1000000; the first is the bank.", valueName: "n"))
  var users: Int

  @Option(help: ArgumentHelp("Wallets, 2 to 1000000; the first is external.", valueName: "n"))
  var wallets: Int

  @Option(help: ArgumentHelp("Transfers, 0 to 100000000, refusals included.", valueName: "n"))
  var transfers: Int

  @Option(help: ArgumentHelp("Which of all made-up ledgers, from 0.", valueName: "s"))
  var seed: UInt64 = 1

  @OptionGroup(title: "Global options") var global: GlobalOptions

  func validate() throws {
    guard (1...GenerationPlan.usersMax).contains(users) else {
      throw ValidationError("--users must be from 1 to \(GenerationPlan.usersMax).")
    }
    guard (2...GenerationPlan.walletsMax).contains(wallets) else {
      throw ValidationError("--wallets must be from 2 to \(GenerationPlan.walletsMax).")
    }
    guard (0...GenerationPlan.transfersMax).contains(transfers) else {
      throw ValidationError("--transfers must be from 0 to \(GenerationPlan.transfersMax).")
    }
  }

  func run(in context: CommandContext) throws {
    let start = monotonicNanoseconds()
    let session = try context.openCancellableSession()
    let day: Int64 = 86_400_000_000
    let plan = GenerationPlan(
      users: users, wallets: wallets, transfers: transfers, seed: seed,
      end: Timestamp(microseconds: Timestamp.now().microseconds / day * day))
    let progress = context.progress("generating", total: Int64(transfers))
    let generator = LedgerGenerator(session, plan: plan) { [signals = context.signals] in
      signals.received != nil
    }
    let report = try generator.run { progress.update(done: Int64($0)) }
    progress.finish()
    let seconds = Double(monotonicNanoseconds() - start) / 1e9
    try context.output.render(GenerationReportView(report: report, seconds: seconds), isSuccess: true)
  }
}

/// What was generated.
struct GenerationReportView: Renderable {
  let report: GenerationReport
  let seconds: Double

  private var rate: Double { seconds > 0 ? (Double(report.transfers) / seconds).rounded() : 0 }
  private var milliseconds: Double { (seconds * 1000).rounded() }

  var json: JSON {
    [
      "users": .integer(Int64(report.users)), "wallets": .integer(Int64(report.wallets)),
      "transfers": .integer(Int64(report.transfers)), "transactions": .integer(Int64(report.transactions)),
      "seconds": .number(milliseconds / 1000), "transfers_per_second": .number(rate),
    ]
  }

  var text: String {
    "Generated \(report.users) users, \(report.wallets) wallets, \(report.transfers) transfers and "
      + "\(report.transactions) ledger entries in \(humanDuration(.milliseconds(Int64(milliseconds)))): "
      + "\(Int64(rate)) transfers a second."
  }

  var csv: (header: [String], rows: [[String]]) {
    let keys = ["users", "wallets", "transfers", "transactions", "seconds", "transfers_per_second"]
    return (keys, [keys.map { json[$0]?.plainText ?? "" }])
  }
}
