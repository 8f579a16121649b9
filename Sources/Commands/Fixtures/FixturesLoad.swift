import ArgumentParser
import Fixtures
import Primitives

/// `ironforge fixtures load`.
struct FixturesLoad: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "load",
    abstract: "Load a directory of CSV files: all of it, or nothing.",
    discussion: """
      The files, each optional, with a header and columns in any order ('?' may be absent or empty):
        currencies.csv  code,scale
        users.csv       email,name?,last_login_at?,id?
        wallets.csv     user,name,network?,address?,kind?,id?    kind is standard or external
        transfers.csv   key,from,to,amount,currency,memo?

      Without a directory, ./fixtures or what came with this program is loaded. Every file is checked before anything \
      is written, and everything is written in one transaction: a line that is wrong is named, and nothing is \
      loaded. Loading again changes nothing.

      EXAMPLES:
        ironforge fixtures load
        ironforge fixtures load staging/ --json
      """)

  @Argument(help: "The directory of the files.", completion: .directory)
  var directory: String?

  @OptionGroup(title: "Global options") var global: GlobalOptions

  func run(in context: CommandContext) throws {
    let path = try ShippedDirectory.fixtures.path(chosen: directory)
    let session = try context.openCancellableSession()
    let progress = context.progress("loading")
    let loader = FixtureLoader(session, fence: try context.commitFence()) { [signals = context.signals] in
      signals.received != nil
    }
    let report = try loader.load(directory: path) { done, _ in progress.update(done: Int64(done)) }
    progress.finish()
    try context.output.render(FixtureReportView(directory: path, report: report), isSuccess: true)
  }
}

/// What was loaded.
struct FixtureReportView: Renderable {
  let directory: String
  let report: FixtureReport

  private var counts: [(name: String, count: FixtureCount)] {
    [
      ("currencies", report.currencies), ("users", report.users), ("wallets", report.wallets),
      ("transfers", report.transfers),
    ]
  }

  var json: JSON {
    let members = counts.map { name, count in
      (
        key: name,
        value: ["loaded": .integer(Int64(count.loaded)), "existing": .integer(Int64(count.existing))] as JSON
      )
    }
    return .object([(key: "directory", value: .string(directory))] + members)
  }

  private var rows: [[String]] {
    counts.map { [$0.name, String($0.count.loaded), String($0.count.existing)] }
  }

  var text: String { table(["of", .number("loaded"), .number("existing")], rows) }
  var csv: (header: [String], rows: [[String]]) { (["of", "loaded", "existing"], rows) }
}
