import Fixtures
import Ledger
import Postgres
import Primitives
import TestSupport
import Testing

@Suite struct FixtureLoaderTests {
  private static let files = [
    "currencies.csv": """
    code,scale
    USD,2
    ETH,18
    """,
    "users.csv": """
    email,name,id,last_login_at
    bank@x.test,Bank,,
    ann@x.test,Ann,01a20614-1d48-77dc-8c36-edbb69eb62a6,2026-01-02
    """,
    "wallets.csv": """
    user,name,kind,address
    bank@x.test,out,external,
    ann@x.test,main,,
    01a20614-1d48-77dc-8c36-edbb69eb62a6,eth,,0x52908400098527886E0F7030069857D2E4169EE7
    """,
    "transfers.csv": """
    key,from,to,amount,currency,memo
    k1,bank@x.test/out,ann@x.test/main,10,USD,
    k2,ann@x.test/main,ann@x.test/eth,4.5,USD,"a, b"
    """,
  ]

  private func write(_ changes: [String: String] = [:]) throws -> TemporaryDirectory {
    let directory = try TemporaryDirectory()
    for (name, text) in Self.files.merging(changes, uniquingKeysWith: { $1 }) {
      try directory.write(text, to: name)
    }
    return directory
  }

  private func load(_ directory: TemporaryDirectory, _ database: TestDatabase) throws -> FixtureReport {
    let session = try Session(connecting: ConnectionString(database.url))
    defer { session.close() }
    return try FixtureLoader(session).load(directory: directory.path)
  }

  private func rowCount(_ database: TestDatabase) async throws -> String {
    try await database.sql(
      """
      select (select count(*) from currencies) + (select count(*) from users) + (select count(*) from wallets)
        + (select count(*) from assets) + (select count(*) from transfers)
        + (select count(*) from transactions)
      """)[0][0]
  }

  @Test func loadingTwiceChangesNothing() async throws {
    try await withDatabase(template: .migrated) { database in
      let directory = try write()
      let first = try load(directory, database)
      #expect(
        [first.currencies.loaded, first.users.loaded, first.wallets.loaded, first.transfers.loaded] == [
          2, 2, 3, 2,
        ])
      let count = try await rowCount(database)
      let second = try load(directory, database)
      #expect(
        [second.currencies, second.users, second.wallets, second.transfers].map(\.loaded) == [0, 0, 0, 0])
      #expect(second.transfers.existing == 2)
      #expect(try await rowCount(database) == count)
      #expect(
        try await database.sql("select memo, amount from transfers where key = 'k2'") == [["a, b", "450"]])
      #expect(
        try await database.sql(
          "select id, last_login_at = '2026-01-02T00:00Z' from users where email = 'ann@x.test'")
          == [["01a20614-1d48-77dc-8c36-edbb69eb62a6", "t"]])
    }
  }

  private static let broken: [(file: String, text: String, line: Int, kind: FailureKind, code: String)] = [
    ("currencies.csv", "code,scale\nUSD,2\nETH,19\n", 3, .malformedInput, "input_malformed"),
    ("currencies.csv", "code,scale\nUSD,2\nETH 1,18\n", 3, .malformedInput, "currency_invalid"),
    ("currencies.csv", "code,scale\nUSD,2\nETH,18\nUSD,2\n", 4, .malformedInput, "input_malformed"),
    ("users.csv", "email\nbank@x.test\n\nann\n", 4, .malformedInput, "email_invalid"),
    ("users.csv", "email,id\nbank@x.test,1\n", 2, .malformedInput, "input_malformed"),
    ("users.csv", "email,last_login_at\nbank@x.test,2026-02-30\n", 2, .malformedInput, "input_malformed"),
    ("users.csv", "email,mail\n", 1, .malformedInput, "input_malformed"),
    ("wallets.csv", "user,name\nbank@x.test,out\nnobody@x.test,main\n", 3, .malformedInput, "user_not_found"),
    ("wallets.csv", "user,name,kind\nbank@x.test,out,foreign\n", 2, .malformedInput, "input_malformed"),
    ("wallets.csv", "user,name,address\nbank@x.test,out,0x12\n", 2, .malformedInput, "address_invalid"),
    ("transfers.csv", "key,from,to,amount\n", 1, .malformedInput, "input_malformed"),
    (
      "transfers.csv", "key,from,to,amount,currency\nk,bank@x.test/out,ann@x.test/main,1e3,USD\n", 2,
      .malformedInput, "amount_invalid"
    ),
    (
      "transfers.csv", "key,from,to,amount,currency\nk,bank@x.test/out,ann@x.test/main,1.001,USD\n", 2,
      .malformedInput, "amount_precision_exceeded"
    ),
    (
      "transfers.csv", "key,from,to,amount,currency\nk,bank@x.test/out,ann@x.test/main,1,XXX\n", 2,
      .malformedInput, "currency_not_found"
    ),
    (
      "transfers.csv", "key,from,to,amount,currency\nk,bank@x.test/out,ann@x.test/mian,1,USD\n", 2,
      .malformedInput, "destination_not_found"
    ),
    (
      "transfers.csv",
      """
      key,from,to,amount,currency
      k,bank@x.test/out,ann@x.test/main,1,USD
      l,ann@x.test/main,ann@x.test/eth,1.01,USD
      """,
      3, .refused, "insufficient_funds"
    ),
    (
      "transfers.csv",
      """
      key,from,to,amount,currency
      k,bank@x.test/out,ann@x.test/main,1,USD
      l,"bank@x.test/out,ann@x.test/main,1,USD
      """,
      3, .malformedInput, "input_malformed"
    ),
  ]

  @Test(arguments: broken.indices) func aBrokenLineIsNamedAndNothingIsLoaded(index: Int) async throws {
    let (file, text, line, kind, code) = Self.broken[index]
    try await withDatabase(template: .migrated) { database in
      let directory = try write([file: text])
      let error = #expect(throws: InputError.self) { try load(directory, database) }
      #expect(error?.file == directory.file(file))
      #expect(error?.line == line, "\(error?.message ?? "")")
      #expect(error?.kind == kind, "\(error?.message ?? "")")
      #expect(error?.code == code)
      #expect(try await rowCount(database) == "0")
    }
  }

  @Test func whatContradictsTheDatabaseIsRefused() async throws {
    try await withDatabase(template: .migrated) { database in
      _ = try load(try write(), database)
      let count = try await rowCount(database)
      for (file, text, code) in [
        ("currencies.csv", "code,scale\nUSD,3\n", "currency_exists"),
        ("users.csv", "email,id\nann@x.test,01a20614-1d48-77dc-8c36-edbb69eb62a7\n", "user_exists"),
        ("users.csv", "email,id\neve@x.test,01a20614-1d48-77dc-8c36-edbb69eb62a6\n", "user_exists"),
        ("wallets.csv", "user,name,kind\nann@x.test,main,external\n", "wallet_exists"),
        (
          "wallets.csv", "user,name,address\nbank@x.test,x,0x52908400098527886E0F7030069857D2E4169EE7\n",
          "wallet_exists"
        ),
        (
          "transfers.csv", "key,from,to,amount,currency\nk1,bank@x.test/out,ann@x.test/main,11,USD\n",
          "key_reused_with_different_request"
        ),
      ] {
        let error = #expect(throws: InputError.self) { try load(try write([file: text]), database) }
        #expect(error?.code == code)
        #expect(error?.kind == .refused)
        #expect(error?.line == 2)
      }
      #expect(try await rowCount(database) == count)
    }
  }

  @Test func aDirectoryWithoutFixturesIsAnError() async throws {
    try await withDatabase(template: .migrated) { database in
      let error = #expect(throws: SimpleFailure.self) { try load(try TemporaryDirectory(), database) }
      #expect(error?.code == "fixtures_missing")
    }
  }
}
