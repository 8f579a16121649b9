import Testing

@testable import Advice

@Suite struct CandidateTests {
  @Test func equalitiesComeFirstTheMostSelectiveBeforeOthersThenTheOrder() throws {
    let found = try Draft.candidates(
      "select * from tx where status = 'pending' and wallet_id = $1 order by created_at desc limit 10")
    #expect(found.contains("tx (wallet_id, status, created_at DESC)"))
    #expect(found.contains("tx (wallet_id, created_at DESC)"))
    #expect(found.first == "tx (created_at DESC)")
    // Beside another equality a whole index is as good, and serves other constants.
    let partial = found.filter { $0.contains("WHERE") }
    #expect(partial == [])
    let isNarrow = found.allSatisfy { $0.split(separator: ",").count <= 3 }
    #expect(isNarrow)
  }

  @Test func aConstantThatLeavesMostRowsOutMakesAPartialIndex() throws {
    let found = try Draft.candidates("select id from tx where status = 'pending' order by created_at")
    #expect(found.contains("tx (created_at) WHERE status = 'pending'"))
    let common = try Draft.candidates("select id from tx where status = 'posted' order by created_at")
    #expect(!common.contains { $0.contains("WHERE") })
    let parameter = try Draft.candidates("select id from tx where status = $1 order by created_at")
    #expect(!parameter.contains { $0.contains("WHERE") })
    let flag = try Draft.candidates("select id from users where not active order by name")
    #expect(flag.contains("users (name) WHERE NOT active"))
    let rare = try Draft.candidates("select id from users where deleted_at is not null and email = $1")
    #expect(rare.contains("users (email) WHERE deleted_at IS NOT NULL"))
  }

  @Test func includeMakesAScanIndexOnly() throws {
    let found = try Draft.candidates("select amount from tx where wallet_id = $1")
    #expect(found == ["tx (wallet_id)", "tx (wallet_id) INCLUDE (amount)"])
    let whole = try Draft.candidates("select * from tx where wallet_id = $1")
    #expect(whole == ["tx (wallet_id)"])
    let written = try Draft.candidates("update tx set amount = 1 where wallet_id = $1")
    #expect(written == ["tx (wallet_id)"])
  }

  @Test func expressionsAndJoinsAreKeys() throws {
    let lower = try Draft.candidates("select * from users where lower(email) = $1")
    #expect(lower == ["users ((lower(email)))"])
    let join = try Draft.candidates(
      "select * from tx t join wallets w on w.id = t.wallet_id where t.amount > 5")
    #expect(join.contains("tx (wallet_id, amount)"))
    #expect(join.contains("wallets (id)"))
  }

  @Test func smallTablesAndColumnsWithoutOrderGetNone() throws {
    let tiny = try Draft.candidates("select * from tiny where name = $1")
    #expect(tiny == [])
    let table = Draft.table(9, "docs", ["id", "body"], distinct: [1e6, 1e6]) {
      $0.columns[1].operatorClass = nil
    }
    var use = TableUse(table: 9)
    use.conditions = [Condition(.column(2), .equality)]
    let found = CandidateGenerator(use, in: table).candidates()
    #expect(found == [])
  }

  @Test func sizesKnowOfDeduplication() throws {
    let table = try #require(Draft.schema.relations[1])
    func megabytes(_ keys: [Int16], include: [Int16] = []) -> Double {
      var candidate = Candidate(table: 1, keys: keys.map { CandidateKey(.column($0)) })
      candidate.included = include
      return Double(IndexSize.bytes(candidate, in: table)) / 1_048_576
    }
    // A million rows of 8-byte keys: 20 bytes an entry, pages nine tenths full, is 21 MB; four values alone are a third.
    let (unique, repeated, covering) = (megabytes([1]), megabytes([3]), megabytes([3], include: [1]))
    #expect((20...23).contains(unique))
    #expect((6...8).contains(repeated))
    #expect((28...31).contains(covering))
  }
}
