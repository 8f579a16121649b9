import FoundationEssentials
import Glibc
import Primitives
import TestSupport
import Testing

@testable import Postgres

/// What happens to a session when its server, its backend or its connection does not do its part.
@Suite(.timeLimit(.minutes(3)))
struct FaultTests {
  @Test func aCancelEndsTheStatementAndNeverTheNext() async throws {
    try await withSession { session throws in
      let sleep = Statement("select pg_sleep(20)", columns: [.void])
      for round in 0..<150 {
        let canceller = session.canceller
        // From nothing to a few milliseconds: some requests come before the statement reaches the server.
        let delay = UInt32(round % 30) * 100
        let isOver = Flag()
        let thread = detached {
          usleep(delay)
          // Before the statement has begun there is nothing to cancel.
          while !isOver.isSet {
            canceller.cancel()
            usleep(20_000)
          }
        }
        var error: PostgresError?
        let time = seconds { error = failure { try session.query(sleep()) } }
        if case .cancelled = error {} else { Issue.record("round \(round): \(String(describing: error))") }
        isOver.set()
        thread.wait()
        #expect(time < 5)
        #expect(try answers(session), "round \(round)")
      }
      session.canceller.cancel()
      #expect(try answers(session))
    }
  }

  @Test func cancellingRacesWithShortStatements() async throws {
    try await withSession { session throws in
      let canceller = session.canceller
      let hammer = detached { for _ in 0..<300 { canceller.cancel() } }
      let mark = Statement("select $1::int8", parameters: [.int8], columns: [.int8])
      for value in Int64(0)..<2000 {
        do {
          let found: Int64 = try session.query(mark(value))[0].decode(0)
          #expect(found == value)
        } catch PostgresError.cancelled {}
      }
      hammer.wait()
      #expect(try answers(session))
    }
  }

  @Test func aTerminatedBackendIsReported() async throws {
    try await withDatabase { database async throws in
      let killed = Task {
        try await withSession(database.url) { session in failure { try session.simple("select pg_sleep(30)") }
        }
      }
      try await signal(database, "pg_sleep(30)") { _ in "select pg_terminate_backend(pid)" }
      let error = try await killed.value
      #expect(error?.sqlState == "57P01")
      #expect(error?.endsSession == true && error?.isRetryable == true && error?.kind == .unreachable)
      try await withSession(database.url) { session throws in
        session.close()
        session.close()
        let closed = failure { try session.simple("select 1") }
        #expect(closed?.code == "connection_lost")
        #expect(!session.isOpen && !session.isInTransaction)
      }
    }
  }

  @Test func anIdleSessionNoticesThatItsBackendIsGone() async throws {
    try await withDatabase { database async throws in
      let codes = try await blocking {
        let target = try ConnectionString(database.url)
        let victim = try Session(connecting: target)
        let other = try Session(connecting: target)
        let terminate = Statement(
          "select pg_terminate_backend($1, 5000)", parameters: [.int4], columns: [.bool])
        try other.query(terminate(victim.backendPID))
        return (0..<2).map { _ in failure { try victim.simple("select 1") }?.code }
      }
      #expect(codes == ["connection_lost", "connection_lost"])
    }
  }

  @Test func aServerThatCrashesAndComesBack() async throws {
    try await withPrivatePostgres { server async throws in
      for kind in ["restart", "kill -9"] {
        let lost = Task {
          try await withSession(server.url) { session in failure { try session.simple("select pg_sleep(30)") }
          }
        }
        let backend = try await backend(server, "pg_sleep(30)")
        if kind == "restart" {
          try await server.restart(mode: .immediate)
        } else {
          let crashes = try crashes(server)
          try server.signal(SIGKILL, process: backend)
          // The postmaster takes a moment to notice, and is ready until then.
          while try self.crashes(server) == crashes { try await Task.sleep(for: .milliseconds(10)) }
          try await server.waitUntilReady()
        }
        let error = try await lost.value
        #expect(error?.endsSession == true, "\(kind): \(String(describing: error))")
        try await withSession(server.url) { session throws in #expect(try answers(session)) }
      }
    }
  }

  /// How often the server says in its log that it starts anew after a crash.
  private func crashes(_ server: PrivatePostgres) throws -> Int {
    try String(contentsOfFile: server.log, encoding: .utf8)
      .components(separatedBy: "all server processes terminated; reinitializing").count
  }

  @Test func aStoppedBackendIsGivenUpAtTheDeadline() async throws {
    try await withPrivatePostgres { server async throws in
      let options = SessionOptions(statementTimeout: .milliseconds(500))
      let url = server.url
      let result = try await blocking {
        let session = try Session(connecting: try ConnectionString(url), options: options)
        let backend = session.backendPID
        try Signals.send(SIGSTOP, to: backend)
        var error: PostgresError?
        let time = seconds { error = failure { try session.simple("select 1") } }
        let isOpen = session.isOpen
        try Signals.send(SIGCONT, to: backend)
        return (error?.code, time, isOpen)
      }
      #expect(result.0 == "database_timeout")
      #expect(result.1 > 5 && result.1 < 10)
      #expect(!result.2)
    }
  }

  /// `PQcancel` against a postmaster that is stopped waits for ever; the statement must not.
  @Test func cancellingAStoppedServerIsBounded() async throws {
    try await withPrivatePostgres { server async throws in
      let postmaster = try server.postmaster()
      let url = server.url
      let time = try await blocking {
        let options = SessionOptions(statementTimeout: .milliseconds(500))
        let session = try Session(connecting: try ConnectionString(url), options: options)
        try Signals.send(SIGSTOP, to: postmaster)
        defer { kill(postmaster, SIGCONT) }
        let canceller = session.canceller
        let thread = detached {
          usleep(100_000)
          canceller.cancel()
        }
        let time = seconds { _ = failure { try session.simple("select pg_sleep(20)") } }
        thread.wait()
        return time
      }
      #expect(time < 12)
    }
  }

  /// Waits until a backend of the database runs `text`, and sends what `statement` says to it.
  private func signal(
    _ database: TestDatabase, _ text: String, _ statement: (String) -> String
  ) async throws {
    let deadline = Deadline.after(.seconds(20))
    while !deadline.hasPassed {
      let rows = try await database.sql(
        """
        \(statement(text)) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid() and query like '%\(text)%'
        """)
      if !rows.isEmpty { return }
      try await Task.sleep(for: .milliseconds(20))
    }
    Issue.record("nothing ran \(text)")
  }

  private func backend(_ server: PrivatePostgres, _ text: String) async throws -> Int32 {
    let deadline = Deadline.after(.seconds(20))
    while !deadline.hasPassed {
      let rows = try await server.sql(
        "select pid from pg_stat_activity where pid <> pg_backend_pid() and query like '%\(text)%'")
      if let pid = rows.first?.first.flatMap({ Int32($0) }) { return pid }
      try await Task.sleep(for: .milliseconds(20))
    }
    throw TestFailure("nothing ran \(text)")
  }
}
