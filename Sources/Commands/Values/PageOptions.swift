import ArgumentParser
import Ledger

/// `--limit` and `--cursor`, of every list.
struct PageOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The most rows to print, 1 to 10000.", valueName: "n"))
  var limit = 50

  @Option(help: ArgumentHelp("Where to go on: the next_cursor of the page before.", valueName: "cursor"))
  var cursor: String?

  func validate() throws {
    guard (1...10_000).contains(limit) else { throw ValidationError("--limit must be from 1 to 10000.") }
  }

  /// - Throws: `cursor_invalid`.
  func request() throws -> PageRequest {
    PageRequest(limit: limit, cursor: try cursor.map { text in try Cursor(text) })
  }
}
