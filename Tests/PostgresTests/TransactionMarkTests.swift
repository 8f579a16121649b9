import TestSupport
import Testing

@testable import Postgres

@Suite struct TransactionMarkTests {
  private let mark = TransactionMark(space: 77, number: 1)

  private func number(_ session: Session) throws -> UInt64 {
    try #require(UInt64(scalar(session, "select pg_current_xact_id()::text", String.self)))
  }

  /// Those that bear it, by their own numbers where they have subtransactions; not those that bear another one, none, or
  /// one in another database, nor those that began later.
  @Test func listsWhoBearsIt() async throws {
    try await withDatabase { database in
      try await withDatabase { elsewhere in
        let here = try ConnectionString(database.url)
        let sessions = try (0..<4).map { _ in try Session(connecting: here) }
        let (mine, plain, late, asker) = (sessions[0], sessions[1], sessions[2], sessions[3])
        let stranger = try Session(connecting: ConnectionString(elsewhere.url))
        defer { for session in sessions + [stranger] { session.close() } }
        try mine.simple("begin; select from \(mark.setting)")
        let number = try number(mine)
        try mine.simple("savepoint a; create table made_within (); savepoint b; create table made_deeper ()")
        try plain.simple("begin; select pg_current_xact_id() from pg_advisory_xact_lock_shared(77, 2)")
        try stranger.simple("begin; select pg_current_xact_id() from \(mark.setting)")
        let latest = try self.number(asker)
        try late.simple("begin; select pg_current_xact_id() from \(mark.setting)")
        #expect(try mark.bearers(upTo: latest, asker) == [number])
        #expect(try mark.bearers(upTo: self.number(asker), asker).count == 2)
        try mine.simple("commit")
        #expect(try mark.bearers(upTo: latest, asker) == [])
      }
    }
  }
}
