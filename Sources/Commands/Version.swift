internal import CBuild
import Postgres
import Redis
import SQLSyntax

/// What this program is made of.
enum Version {
  static let number = "0.1.0"

  /// `ironforge --version`: version, commit and libraries.
  static var text: String {
    """
    ironforge \(number)\(commit(if_commit()).map { " (commit \($0))" } ?? "")
    libpq \(Postgres.libraryVersion), hiredis \(Redis.libraryVersion), libpg_query for PostgreSQL \(SQLSyntax.libraryVersion)
    """
  }

  /// The commit as `cbuild.h` packs it: nil for a build outside `make release`.
  static func commit(_ packed: UInt64) -> String? {
    guard packed & 1 << 28 != 0 else { return nil }
    let digits = String(packed & 0xFFF_FFFF, radix: 16)
    let padded = String(repeating: "0", count: 7 - digits.count) + digits
    return packed & 1 << 29 != 0 ? padded + ", changed since" : padded
  }
}
