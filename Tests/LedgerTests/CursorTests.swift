import Ledger
import Postgres
import Primitives
import TestSupport
import Testing
import Wallet

@Suite struct CursorTests {
  @Test func aCursorIsReadBack() throws {
    for microseconds in [0, 1, -1, 1_700_000_000_123_456, -62_135_596_800_000_000] as [Int64] {
      let cursor = Cursor(time: Timestamp(microseconds: microseconds), id: Identifier(high: .max, low: 5))
      #expect(try Cursor(cursor.description) == cursor)
    }
  }

  @Test(arguments: [
    "", "0", "next", String(repeating: "0", count: 47), String(repeating: "0", count: 49),
    String(repeating: "g", count: 48), " " + String(repeating: "0", count: 47),
    String(repeating: "٠", count: 24),
    // A moment that PostgreSQL cannot express.
    String(repeating: "8", count: 16) + String(repeating: "0", count: 32),
    "7fffffffffffffff" + String(repeating: "0", count: 32),
  ])
  func whatNoListHasPrintedIsRefused(text: String) {
    #expect { try Cursor(text) } throws: { ($0 as? SimpleFailure)?.code == "cursor_invalid" }
  }
}

@Suite struct ListTests {
  /// Walks a list page by page while rows arrive at its top; everything that was there is seen once, in order.
  private static func walk<Item>(
    _ limit: Int, _ page: (PageRequest) async throws -> Page<Item>, between: () async throws -> Void
  ) async throws -> [Item] {
    var items: [Item] = []
    var cursor: Cursor?
    repeat {
      let page = try await page(PageRequest(limit: limit, cursor: cursor))
      #expect(page.items.count == limit || page.next == nil)
      items += page.items
      // As a user would: through the cursor's text.
      cursor = try page.next.map { try Cursor($0.description) }
      try await between()
    } while cursor != nil
    return items
  }

  /// All of them at one moment, and one at each of some others: only the id tells the former apart.
  private static let many = """
    insert into users (email, name, created_at)
    select 'u' || n || '@example.com', '', timestamptz '2026-01-01' + interval '1 day' * greatest(0, n - 30)
    from generate_series(1, 40) n;
    insert into wallets (user_id, name, created_at)
    select id, 'w', created_at from users where email like 'u%';
    """

  @Test func usersAndWalletsAreListedOnceWhileRowsArrive() async throws {
    try await withWorld { world in
      try await world.database.sql(Self.many)
      for limit in [1, 7, 43, 100] {
        let expected = try await world.database.sql("select id from users order by created_at desc, id desc")
        let users = try await Self.walk(limit) { request in
          try await world.with { try Ledger($0).users(activeSince: nil, request) }
        } between: {
          try await world.database.sql(
            "insert into users (email) values (gen_random_uuid() || '@example.com')")
        }
        #expect(users.map { [$0.id.description] } == expected)
      }
      let expected = try await world.database.sql("select id from wallets order by created_at desc, id desc")
      let wallets = try await Self.walk(7) { request in
        try await world.with { try Ledger($0).wallets(user: nil, status: nil, request) }
      } between: {
        try await world.database.sql(
          "insert into wallets (user_id, name) values ('\(world.owner)', gen_random_uuid()::text)")
      }
      #expect(wallets.map { [$0.wallet.id.description] } == expected)
    }
  }

  @Test func filtersOfUsersAndWalletsHold() async throws {
    try await withWorld { world in
      try await world.database.sql(
        """
        \(Self.many)
        update users set last_login_at = now() - interval '1 hour' * n
        from generate_series(1, 40) n where email = 'u' || n || '@example.com';
        update wallets set status = 'frozen' where id = '\(world.bob)';
        """)
      try await world.with { session in
        let ledger = Ledger(session)
        let all = PageRequest(limit: 100, cursor: nil)
        let since = Timestamp(microseconds: Timestamp.now().microseconds - 5 * 3_600_000_000 - 1_800_000_000)
        let active = try ledger.users(activeSince: since, all).items.count
        #expect(active == 5)
        let owned = try ledger.wallets(user: world.owner, status: nil, all).items.count
        #expect(owned == 3)
        let frozen = try ledger.wallets(user: nil, status: .frozen, all).items.map(\.wallet.id)
        #expect(frozen == [world.bob])
        let closed = try ledger.wallets(user: world.owner, status: .closed, all).items
        #expect(closed == [])
      }
    }
  }

  @Test func transfersAndHistoryAreListedOnceWhileRowsArrive() async throws {
    try await withWorld { world in
      // One chunk: most of it shares a millisecond.
      let requests = (0..<60).map { number in
        number % 6 == 5
          ? world.request("r\(number)", from: world.ada, to: world.bob, "1000000")
          : world.request("t\(number)", to: number % 2 == 0 ? world.ada : world.bob, "0.0\(number % 9 + 1)")
      }
      let url = world.database.url
      let outcomes = try await world.with { _ in try processor(url).process(requests) }
      #expect(outcomes.filter { $0.code == .created }.count == 50)
      var arrived = 0
      func more() async throws {
        arrived += 1
        try await world.transfer(world.request("more\(arrived)"))
      }
      for (wallet, status) in [
        (nil, nil), (nil, .refused), (world.ada, nil), (world.ada, .posted), (world.bob, .refused),
        (world.bank, nil),
      ] as [(Identifier?, TransferStatus?)] {
        var conditions = ["true"]
        if let wallet { conditions.append("'\(wallet)' in (from_wallet_id, to_wallet_id)") }
        if let status { conditions.append("status = '\(status.rawValue)'") }
        let expected = try await world.database.sql(
          "select id from transfers where \(conditions.joined(separator: " and ")) order by created_at desc, id desc"
        )
        let found = try await Self.walk(7) { request in
          try await world.with { try Ledger($0).transfers(status: status, wallet: wallet, request) }
        } between: {
          try await more()
        }
        #expect(found.map { [$0.transfer.id.description] } == expected, "\(conditions)")
      }
      let expected = try await world.database.sql(
        "select id from transactions where wallet_id = '\(world.ada)' order by created_at desc, id desc")
      let history = try await Self.walk(7) { request in
        try await world.with { try Ledger($0).history(of: world.ada, request) }
      } between: {
        try await more()
      }
      #expect(history.map { [$0.id.description] } == expected)
    }
  }

  /// The server tells of every statement that it executes.
  @Test func aListOfWalletsReadsTheirAssetsInOneStatement() async throws {
    try await withWorld { world in
      try await world.database.sql(Self.many)
      try await world.transfer(world.request("1"), world.request("2", to: world.bob, "1", "ETH"))
      try await world.with { session in
        var executed = 0
        try session.simple("set client_min_messages = log; set log_min_duration_statement = 0")
        session.onNotice = { if $0.message.contains(" execute ") { executed += 1 } }
        let page = try Ledger(session).wallets(user: nil, status: nil, PageRequest(limit: 43, cursor: nil))
        #expect(page.items.count == 43 && page.next == nil)
        let held = page.items.flatMap(\.assets)
        #expect(held.count == 4 && held.allSatisfy { $0.asset.balance != 0 })
        #expect(executed == 2, "one for the wallets, one for what they hold")
      }
    }
  }
}
