import Fixtures
import Ledger
import Postgres
import Primitives
import TestSupport
import Testing

@Suite struct LedgerGeneratorTests {
  private func generate(_ database: TestDatabase, seed: UInt64, transfers: Int = 3000) throws
    -> GenerationReport
  {
    let session = try Session(connecting: ConnectionString(database.url))
    defer { session.close() }
    let plan = GenerationPlan(
      users: 20, wallets: 50, transfers: transfers, seed: seed,
      end: Timestamp(microseconds: 1_790_000_000_000_000))
    return try LedgerGenerator(session, plan: plan).run()
  }

  private func fingerprint(_ database: TestDatabase) async throws -> [[String]] {
    try await database.sql(
      """
      select md5((select string_agg(t::text, '|' order by id) from transfers t)
        || (select string_agg(t::text, '|' order by id) from transactions t)
        || (select string_agg(u::text, '|' order by id) from users u)
        || (select string_agg(w::text, '|' order by id) from wallets w)
        || (select string_agg(a::text, '|' order by wallet_id, currency) from assets a))
      """)
  }

  @Test func aGeneratedLedgerVerifiesAndMoneyMovesInIt() async throws {
    try await withDatabase(template: .migrated) { database in
      let report = try generate(database, seed: 1)
      #expect(report.users == 20)
      #expect(report.wallets == 50)
      #expect(report.transfers == 3000)
      let counts = try await database.sql(
        """
        select (select count(*) from users), (select count(*) from wallets), (select count(*) from transfers),
          (select count(*) from transactions),
          (select count(*) from transfers where created_at <> ironforge.id_time(id))
        """)
      #expect(counts == [["20", "50", "3000", "\(report.transactions)", "0"]])
      let session = try Session(connecting: ConnectionString(database.url))
      defer { session.close() }
      #expect(try LedgerVerification(session).run(currency: nil).allSatisfy(\.isOK))
      // The statistics are there for the planner.
      #expect(
        try await database.sql("select reltuples from pg_class where relname = 'transactions'")
          == [["\(report.transactions)"]])
    }
  }

  @Test func theSameSeedGivesTheSameRowsAndOnlyOnce() async throws {
    try await withDatabase(template: .migrated) { first in
      try await withDatabase(template: .migrated) { second in
        _ = try generate(first, seed: 7)
        _ = try generate(second, seed: 7)
        let made = try await fingerprint(first)
        #expect(try await fingerprint(second) == made)
        let error = #expect(throws: SimpleFailure.self) { try generate(first, seed: 7, transfers: 10) }
        #expect(error?.code == "already_generated")
        #expect(error?.kind == .refused)
        #expect(try await fingerprint(first) == made)
        _ = try generate(first, seed: 8)
        #expect(try await fingerprint(first) != made)
        let session = try Session(connecting: ConnectionString(first.url))
        defer { session.close() }
        #expect(try LedgerVerification(session).run(currency: nil).allSatisfy(\.isOK))
      }
    }
  }

  @Test func aCurrencyOfAnotherScaleIsARefusal() async throws {
    try await withDatabase(template: .migrated) { database in
      try await database.sql("insert into currencies (code, scale) values ('ETH', 9)")
      let error = #expect(throws: SimpleFailure.self) { try generate(database, seed: 1) }
      #expect(error?.code == "currency_exists")
      #expect(try await database.sql("select count(*) from users") == [["0"]])
    }
  }

  @Test func aStopBetweenBatchesLeavesNothingBehind() async throws {
    try await withDatabase(template: .migrated) { database in
      let session = try Session(connecting: ConnectionString(database.url))
      defer { session.close() }
      let plan = GenerationPlan(users: 5, wallets: 5, transfers: 60_000, seed: 1, end: .now())
      var done = 0
      let generator = LedgerGenerator(session, plan: plan) { done > 0 }
      #expect(throws: CancellationError.self) { try generator.run { done = $0 } }
      #expect(done == 50_000)
      #expect(
        try await database.sql("select (select count(*) from transfers) + (select count(*) from users)") == [
          ["0"]
        ])
    }
  }
}
