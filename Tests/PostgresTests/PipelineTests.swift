import Primitives
import Synchronization
import TestSupport
import Testing

@testable import Postgres

@Suite(.timeLimit(.minutes(2)))
struct PipelineTests {
  static let echo = Statement("select $1::int8", parameters: [.int8], columns: [.int8])
  static let divide = Statement("select 10 / $1::int8", parameters: [.int8], columns: [.int8])

  @Test func resultsComeInOrder() async throws {
    try await withSession { session throws in
      #expect(try session.pipeline([]).isEmpty)
      let results = try session.pipeline((0..<100).map { Self.echo(Int64($0)) })
      #expect(try results.map { try $0[0].decode(0, as: Int64.self) } == (0..<100).map { Int64($0) })
    }
  }

  @Test func anErrorInTheMiddleRollsTheRestBackAndTheSessionGoesOn() async throws {
    try await withSession { session throws in
      try session.simple("create table t (x int8 primary key)")
      let insert = Statement("insert into t values ($1)", parameters: [.int8])
      let error = failure {
        _ = try session.pipeline([
          insert(Int64(1)), Self.divide(Int64(0)), insert(Int64(2)), Self.echo(Int64(3)),
        ])
      }
      #expect(error?.sqlState == "22012")
      #expect(try scalar(session, "select count(*) from t", Int64.self) == 0)
      // Statements are prepared at their second use, also in a pipeline that fails before it gets there.
      for _ in 0..<4 {
        _ = failure {
          _ = try session.pipeline([Self.divide(Int64(0)), insert(Int64(1)), Self.echo(Int64(1))])
        }
      }
      #expect(
        try session.pipeline([insert(Int64(1)), Self.echo(Int64(7))])[1][0].decode(0, as: Int64.self) == 7)
      let duplicate = failure { try session.query(insert(Int64(1))) }
      guard case .server(let server) = duplicate else {
        Issue.record("\(String(describing: duplicate))")
        return
      }
      #expect(server.sqlState == "23505")
      #expect(server.severity == "ERROR")
      #expect(server.table == "t" && server.schema == "public" && server.constraint == "t_pkey")
      #expect(server.detail?.contains("(x)=(1)") == true)
      #expect(!server.description.contains("(x)=(1)"))
      #expect(server.source?.isEmpty == false)
      #expect(try answers(session))
    }
  }

  @Test func errorsHavePositions() async throws {
    try await withSession { session throws in
      let error = failure { try session.query(Statement("select 'ü', nowhere")()) }
      guard case .server(let server) = error else { return }
      #expect(server.position == 13)
    }
  }

  @Test func thousandsOfLargeResultsDoNotDeadlock() async throws {
    try await withSession { session throws in
      let large = Statement("select repeat('x', 2000) || $1", parameters: [.text], columns: [.text])
      let padding = String(repeating: "y", count: 2000)
      let results = try session.pipeline((0..<10_000).map { large("\(padding)\($0)") })
      #expect(results.count == 10_000)
      #expect(try results[9999][0].decode(0, as: String.self).hasSuffix("y9999"))
      #expect(try answers(session))
    }
  }

  @Test func preparedAtTheSecondUse() async throws {
    try await withSession { session throws in
      let count = "select count(*) from pg_prepared_statements where statement like 'select $1::int8'"
      try session.query(Self.echo(Int64(1)))
      #expect(try scalar(session, count, Int64.self) == 0)
      for value in 0..<5 {
        #expect(try session.query(Self.echo(Int64(value)))[0].decode(0, as: Int64.self) == Int64(value))
      }
      #expect(try scalar(session, count, Int64.self) == 1)
      // Several uses in one pipeline, the first ever among them.
      let other = Statement("select $1::int8 + 1", parameters: [.int8], columns: [.int8])
      let results = try session.pipeline((0..<5).map { other(Int64($0)) })
      #expect(try results.map { try $0[0].decode(0, as: Int64.self) } == [1, 2, 3, 4, 5])
    }
  }

  @Test func aPoolerThatLosesPreparedStatementsIsSurvived() async throws {
    try await withSession { session throws in
      for _ in 0..<3 { try session.query(Self.echo(Int64(1))) }
      try session.simple("deallocate all")
      let error = failure { try session.query(Self.echo(Int64(1))) }
      #expect(error?.sqlState == "26000")
      #expect(error?.isTransient == true && error?.isRetryable == true)
      for _ in 0..<3 { #expect(try session.query(Self.echo(Int64(5)))[0].decode(0, as: Int64.self) == 5) }
      #expect(try scalar(session, "select count(*) from pg_prepared_statements", Int64.self) == 0)
    }
  }

  @Test func aStatementThatCouldNotBePreparedIsPreparedLater() async throws {
    try await withSession { session throws in
      let late = Statement("select x from late", columns: [.int4])
      for _ in 0..<3 { #expect(failure { try session.query(late()) }?.sqlState == "42P01") }
      try session.simple("create table late (x int)")
      for _ in 0..<3 { #expect(try session.query(late()).isEmpty) }
    }
  }

  @Test func moreStatementsThanAreKeptPrepared() async throws {
    try await withSession { session throws in
      for round in 0..<3 {
        for number in 0..<300 {
          let statement = Statement("select \(number)", columns: [.int4])
          #expect(try session.query(statement())[0].decode(0, as: Int32.self) == Int32(number), "\(round)")
        }
      }
      #expect(try scalar(session, "select count(*) from pg_prepared_statements", Int64.self) <= 256)
    }
  }

  @Test func transactions() async throws {
    try await withSession { session throws in
      try session.simple("create table t (x int)")
      // No closures inside the macros here: Swift 6.3 gives them the names of the other closures.
      var isThrown = false
      do {
        try session.transaction {
          try session.simple("insert into t values (1)")
          throw GaveUp()
        }
      } catch is GaveUp {
        isThrown = true
      }
      #expect(isThrown)
      #expect(!session.isInTransaction)
      #expect(try scalar(session, "select count(*) from t", Int64.self) == 0)
      try session.transaction { try session.simple("insert into t values (1)") }
      #expect(try scalar(session, "select count(*) from t", Int64.self) == 1)
      // An error that the body swallows has still doomed the transaction.
      let swallowed = failure {
        try session.transaction {
          try session.simple("insert into t values (2)")
          _ = failure { try session.simple("select 1 / 0") }
        }
      }
      #expect(swallowed?.sqlState == "25P02")
      #expect(try scalar(session, "select count(*) from t", Int64.self) == 1)
      let written = failure {
        try session.transaction(.snapshot) { try session.simple("insert into t values (3)") }
      }
      #expect(written?.sqlState == "25006")
      let nested = failure {
        try session.transaction {
          try session.transaction { try session.simple("insert into t values (4)") }
        }
      }
      #expect(nested?.code == "internal_error")
      #expect(!session.isInTransaction)
      #expect(try answers(session))
    }
  }

  @Test func statementTimeoutsAreSetAndPutBack() async throws {
    try await withSession(SessionOptions(statementTimeout: .milliseconds(300))) { session throws in
      let show = "select current_setting('statement_timeout')"
      #expect(try scalar(session, show, String.self) == "300ms")
      let error = failure { try session.simple("select pg_sleep(10)") }
      #expect(error?.code == "statement_timeout")
      try session.withStatementTimeout(.seconds(60)) {
        #expect(try scalar(session, show, String.self) == "1min")
        try session.simple("select pg_sleep(0.5)")
      }
      #expect(try scalar(session, show, String.self) == "300ms")
      _ = failure { try session.withStatementTimeout(.seconds(60)) { try session.simple("select 1 / 0") } }
      #expect(try scalar(session, show, String.self) == "300ms")
      _ = failure {
        try session.transaction {
          try session.withStatementTimeout(.seconds(60)) { try session.simple("select 1 / 0") }
        }
      }
      #expect(session.isOpen)
      #expect(try scalar(session, show, String.self) == "300ms")
    }
  }

  @Test func aCopySentAsAStatementIsRefusedWithoutAHang() async throws {
    try await withDatabase { database in
      try await database.sql("create table t (x int)")
      for sql in ["copy t from stdin", "copy t to stdout", "select 1; copy t from stdin"] {
        try await withSession(database.url) { session throws in
          #expect(failure { try session.simple(sql) } != nil)
        }
      }
      for sql in ["copy t from stdin", "copy t to stdout"] {
        try await withSession(database.url) { session throws in
          #expect(failure { try session.query(Statement(sql)()) } != nil)
        }
        try await withSession(database.url) { session throws in
          #expect(failure { try session.stream(Statement(sql)()) { _ in } } != nil)
        }
      }
    }
  }

  @Test func notices() async throws {
    try await withSession { session throws in
      nonisolated(unsafe) var notices: [ServerError] = []
      session.onNotice = { notices.append($0) }
      try session.simple(
        "do $$ begin raise notice 'hello' using hint = 'there'; raise warning 'careful'; end $$")
      #expect(notices.map(\.severity) == ["NOTICE", "WARNING"])
      #expect(notices.first?.message == "hello" && notices.first?.hint == "there")
      session.onNotice = nil
      try session.simple("do $$ begin raise notice 'dropped'; end $$")
      #expect(notices.count == 2)
    }
  }

  @Test func sendAndReceiveApart() async throws {
    try await withSession { session throws in
      let pending = try session.send([Self.echo(Int64(1)), Self.echo(Int64(2))])
      #expect(try session.receive(pending).count == 2)
      #expect(try answers(session))
    }
  }
}
