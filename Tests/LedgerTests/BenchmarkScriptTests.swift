import FoundationEssentials
import Postgres
import TestSupport
import Testing

@testable import Ledger

/// P2 compares the command with psql sending the same statements, so the script must hold the same statements.
@Suite struct BenchmarkScriptTests {
  @Test func psqlSendsWhatTheCommandSends() throws {
    let script = Self.words(
      try String(contentsOfFile: Repository.path("Benchmarks/sql/transfer.sql"), encoding: .utf8))
    var rest = script[...]
    let sent = [
      TransferStatements.lock, TransferStatements.read, HoldStatements.resolutions, TransferStatements.write,
    ]
    for statement in sent {
      // What stands between the parameters, in order; the script has values in their places.
      for part in Self.words(statement.sql).split(separator: /\$[0-9]+(::[a-z]+\[\])?/) {
        let found = rest.firstRange(of: part)
        guard let found else {
          Issue.record("transfer.sql lacks, or has in another place: \(part)")
          return
        }
        rest = rest[found.upperBound...]
      }
    }
  }

  /// One blank between words.
  private static func words(_ text: String) -> String {
    text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
  }
}
