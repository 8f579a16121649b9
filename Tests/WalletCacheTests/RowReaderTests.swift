import Cache
import Postgres
import Primitives
import TestSupport
import Testing
import WalletCache

@Suite struct RowReaderTests {
  private func read<R: Sendable>(
    _ database: TestDatabase, _ body: @Sendable @escaping (RowReader, Session) throws -> R
  ) async throws -> R {
    let url = database.url
    return try await blocking {
      let session = try Session(connecting: ConnectionString(url))
      defer { session.close() }
      return try body(RowReader(session), session)
    }
  }

  /// Windows of any size hold each row once and in order, active or not.
  @Test(arguments: [1, 7, 50, 100, 1000]) func windowsCoverTheTable(window: Int) async throws {
    try await withDatabase(template: .migrated) { database in
      try await database.sql(
        """
        insert into users (email, last_login_at)
        select n || '@example.com', case when n % 10 = 0 then now() end from generate_series(1, 100) n;
        insert into wallets (user_id, name) select id, 'main' from users
        """)
      for (table, filter) in [(CachedTable.users, "id"), (.wallets, "user_id")] {
        for isActive in [false, true] {
          let found = try await read(database) { reader, _ in
            var (found, position, looked): ([String], Identifier?, Int) = ([], nil, 0)
            repeat {
              let since = isActive ? Timestamp.now() + .seconds(-3600) : nil
              let chunk = try reader.rows(of: table, after: position, window: window, activeSince: since)
              found += chunk.texts.map(\.key)
              looked += chunk.lookedAt
              position = chunk.next
            } while position != nil
            return (found, looked)
          }
          let wanted = try await database.sql(
            """
            select id from \(table.rawValue)
            \(isActive ? "where \(filter) in (select id from users where last_login_at is not null)" : "") order by id
            """)
          #expect(found.0 == wanted.map { "\(table.keyPrefix):\($0[0])" })
          #expect(found.1 == 100 || isActive)
        }
      }
    }
  }

  /// Whatever text a row holds, the value is JSON and says the same.
  @Test func hostileTextSurvives() async throws {
    try await withDatabase(template: .migrated) { database in
      let names = [
        "\"", "\\", "a\u{1}\u{1F}\u{7F}b", "\n\r\t", "é😀\u{2028}", "'; drop table users", "</script>", "",
      ]
      let emails = names.indices.map { "\($0)@example.com" }
      let texts = try await read(database) { reader, session in
        let insert = Statement("insert into users (email, name) values ($1, $2)", parameters: [.text, .text])
        for (email, name) in zip(emails, names) { try session.query(insert(email, name)) }
        return try reader.rows(of: .users, after: nil, window: 100, activeSince: nil).texts.map(\.text)
      }
      let read = try texts.map { text in
        guard case .object(let members) = try JSON(parsing: Array(text.utf8)) else { return "" }
        return members.first { $0.key == "name" }?.value.description ?? ""
      }
      #expect(Set(read) == Set(names.map { JSON.string($0).description }))
    }
  }

  @Test func endlessTimesAreNoReasonToStop() async throws {
    try await withDatabase(template: .migrated) { database in
      try await database.sql(
        """
        insert into users (email, last_login_at) values ('a@example.com', 'infinity'), ('b@example.com', '-infinity'),
          ('c@example.com', null), ('d@example.com', '0044-03-15 12:00:00+00')
        """)
      let texts = try await read(database) { reader, _ in
        try reader.rows(of: .users, after: nil, window: 10, activeSince: nil).texts.map(\.text)
      }
      for (email, time) in [
        ("a", "\"infinity\""), ("b", "\"-infinity\""), ("c", "null"),
        ("d", "\"0044-03-15T12:00:00.000000Z\""),
      ] {
        let line = "\"email\":\"\(email)@example.com\",\"name\":\"\",\"last_login_at\":\(time),"
        #expect(texts.contains { $0.contains(line) })
      }
    }
  }

  /// The value and the snapshot belong together: what commits between the two reads of a wallet is in neither.
  @Test func aValueIsOfOneSnapshot() async throws {
    try await withDatabase(template: .migrated) { database in
      try await database.sql("insert into users (email) values ('a@example.com')")
      let (first, second, transaction) = try await read(database) { reader, session in
        let id: Identifier = try session.query(
          Statement("select id from users", columns: [.uuid])())[0].decode(0)
        let first = try reader.load(CachedRow(.users, id))
        let writer = try session.newTransaction()
        let second = try reader.load(CachedRow(.users, id))
        return (first, second, writer.id)
      }
      #expect(first.value == second.value && first.value != .absent)
      #expect(!first.snapshot.sees(transaction) && second.snapshot.sees(transaction))
      let none = try await read(database) { reader, _ in
        try reader.load(CachedRow(.wallets, Identifier(high: 1, low: 2))).value
      }
      #expect(none == .absent)
    }
  }

  @Test func keysAreReadAsTheyStandInRedis() {
    let id = Identifier(high: 0x0123_4567_89AB_7DEF, low: 0x8000_0000_0000_0001)
    #expect(CachedRow(key: "user:\(id)") == CachedRow(.users, id))
    #expect(CachedRow(key: "wallet:\(id)")?.key == .wallet(id))
    for text in ["user:\(id) ", "user:\("\(id)".uppercased())", "users:\(id)", "user", "", "user:", "user:1"]
    {
      #expect(CachedRow(key: text) == nil)
    }
  }
}
