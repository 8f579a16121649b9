import Foundation
import Glibc
import Migrations
import Primitives
import TestSupport
import Testing

@testable import Postgres

/// Sessions through PgBouncer in transaction mode.
@Suite(.timeLimit(.minutes(2)))
struct PoolerTests {
  @Test func sessionsWorkAndLeaveNothingBehind() async throws {
    try await withDatabase { database async throws in
      try await withPooler(database) { url in
        let options = SessionOptions(statementTimeout: .seconds(3), lockTimeout: .seconds(2))
        try await withSession(url, options) { session throws in
          let isPooled = session.isPooled
          #expect(isPooled)
          let mark = Statement("select $1::int8", parameters: [.int8], columns: [.int8])
          for value in Int64(0)..<5 {
            let found: Int64 = try session.query(mark(value))[0].decode(0)
            #expect(found == value)
          }
          #expect(try scalar(session, "select count(*) from pg_prepared_statements", Int64.self) == 0)
          let show =
            "select concat_ws(' ', current_setting('statement_timeout'), current_setting('lock_timeout'))"
          try session.transaction {
            let inside = try scalar(session, show, String.self)
            #expect(inside == "3s 2s")
          }
          let outside = try scalar(session, show, String.self)
          #expect(outside == "0 0")
          let long = failure { try session.transaction { try session.simple("select pg_sleep(20)") } }
          #expect(long?.code == "statement_timeout")
          try session.simple("create table t (x int8)")
          let loaded = try session.copyIn("copy t from stdin (format binary)") { writer in
            for value in Int64(0)..<10_000 { try writer.row(value) }
          }
          #expect(loaded == 10_000)
          var streamed = 0
          try session.stream(Statement("select x from t", columns: [.int8])()) { _ in streamed += 1 }
          #expect(streamed == 10_000)
        }
      }
    }
  }

  @Test func cancellingWorksThroughThePooler() async throws {
    try await withDatabase { database async throws in
      try await withPooler(database) { url in
        try await withSession(url) { session throws in
          let canceller = session.canceller
          let thread = detached {
            usleep(200_000)
            canceller.cancel()
          }
          let error = failure { try session.simple("select pg_sleep(20)") }
          thread.wait()
          if case .cancelled = error {} else { Issue.record("\(String(describing: error))") }
          #expect(try answers(session))
        }
      }
    }
  }

  /// With `ignore_startup_parameters = options` the pooler takes the options and drops them.
  @Test func aPoolerThatHidesItselfIsSurvived() async throws {
    try await withDatabase { database async throws in
      try await withPooler(database, settings: "ignore_startup_parameters = options") { url in
        try await withSession(url) { session throws in
          let migrator = Migrator(session: session, files: [])
          var error: MigrationError?
          do { try migrator.up() } catch let caught as MigrationError { error = caught }
          #expect(error?.code == "migration_needs_direct_connection")
          #expect(try answers(session))
        }
      }
    }
  }

  /// Two programs that count their statements alike, on one server connection: neither gets the other's answer.
  @Test func noNameIsUsedThatAnotherProgramMayUse() async throws {
    try await withDatabase { database async throws in
      let settings = "ignore_startup_parameters = options\ndefault_pool_size = 1"
      try await withPooler(database, settings: settings) { url in
        try await withSession(url) { first throws in
          let second = try Session(connecting: ConnectionString(url))
          defer { second.close() }
          let one = Statement("select $1::int8 + 1", parameters: [.int8], columns: [.int8])
          let two = Statement("select $1::int8 + 2", parameters: [.int8], columns: [.int8])
          for value in Int64(0)..<5 {
            #expect(try first.query(one(value))[0].decode(0, as: Int64.self) == value + 1)
            #expect(try second.query(two(value))[0].decode(0, as: Int64.self) == value + 2)
          }
          let names = "select count(*) from pg_prepared_statements where name <> ''"
          #expect(try scalar(first, names, Int64.self) == 0)
          #expect(first.isPooled && second.isPooled)
          // No setting stays either.
          try first.withStatementTimeout(.seconds(77)) { try first.transaction {} }
          #expect(try scalar(second, "select current_setting('statement_timeout')", String.self) == "0")
        }
      }
    }
  }

  @Test func migrationsRefuseThePooler() async throws {
    try await withDatabase { database async throws in
      try await withPooler(database) { url in
        try await withSession(url) { session throws in
          let migrator = Migrator(session: session, files: [])
          #expect(try migrator.status().isEmpty)
          var error: MigrationError?
          do { try migrator.up() } catch let caught as MigrationError { error = caught }
          #expect(error?.kind == .configuration)
        }
      }
    }
  }

  /// Both poolers: the one that shows itself, and the one that hides.
  @Test(arguments: ["", "ignore_startup_parameters = options"])
  func anAdvisoryLockIsHeldThroughThePooler(settings: String) async throws {
    try await withDatabase { database async throws in
      try await withPooler(database, settings: settings) { url in
        try await withSession(url) { session throws in
          let lock = AdvisoryLock(space: 7, number: -7)
          guard case .held(let held) = try lock.acquire(on: session, wait: .zero) else {
            Issue.record("nobody else wanted it")
            return
          }
          // Another client of the pooler, and one that comes directly.
          let second = try Session(connecting: ConnectionString(url))
          let direct = try Session(connecting: ConnectionString(database.url))
          for other in [second, direct] {
            for _ in 0..<3 {
              if case .held = try lock.acquire(on: other, wait: .zero) { Issue.record("held twice") }
            }
          }
          // It stands in nobody's way: no snapshot holds vacuum back, and an index is built past it.
          // Other tests have transactions of their own on this server.
          let open =
            "pid <> pg_backend_pid() and datname = current_database() and state = 'idle in transaction'"
          let snapshots = "select count(backend_xmin) from pg_stat_activity where \(open)"
          #expect(try scalar(direct, snapshots, Int64.self) == 0)
          try direct.simple("create table t (x int8)")
          try direct.simple("create index concurrently on t (x)")
          let released = held.release()
          #expect(released)
          guard case .held(let next) = try lock.acquire(on: direct, wait: .seconds(5)) else {
            Issue.record("it was given back")
            return
          }
          // Lost with its connection, and said so.
          direct.close()
          #expect(!next.release())
          guard case .held = try lock.acquire(on: second, wait: .seconds(5)) else {
            Issue.record("it went with its holder")
            return
          }
          second.close()
          guard case .held = try lock.acquire(on: session, wait: .seconds(5)) else {
            Issue.record("the pooler ends the transaction of a client that went away")
            return
          }
        }
      }
    }
  }

  /// A server that refused the first attempt for another reason is no pooler.
  @Test func aDirectServerIsNeverTakenForAPooler() async throws {
    try await withDatabase { database async throws in
      let address = database.address
      let forwarder = try Forwarder(to: "\(address.host)/.s.PGSQL.\(address.port)")
      let url =
        "postgresql://ironforge@127.0.0.1:\(forwarder.port)/\(database.name)?sslmode=disable&gssencmode=disable"
      try await withSession(url, SessionOptions(statementTimeout: .seconds(7), lockTimeout: .seconds(3))) {
        session throws in
        let isPooled = session.isPooled
        #expect(!isPooled)
        let settings =
          "select concat_ws(' ', current_setting('statement_timeout'), current_setting('lock_timeout'))"
        #expect(try scalar(session, settings, String.self) == "7s 3s")
      }
    }
  }
}

/// Closes the first connection at once, as a server that is just starting, and passes the second one on.
private final class Forwarder: Sendable {
  let port: UInt16

  init(to path: String) throws {
    let listener = try Listener()
    port = listener.port
    Thread.detachNewThread {
      if let refused = listener.accept() { close(refused) }
      guard let client = listener.accept(), let server = Self.connect(to: path) else { return }
      listener.close()
      Thread.detachNewThread { Self.pass(from: server, to: client) }
      Self.pass(from: client, to: server)
    }
  }

  private static func pass(from source: Int32, to target: Int32) {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while case let count = read(source, &buffer, buffer.count), count > 0 {
      if write(target, buffer, count) != count { break }
    }
    shutdown(target, Int32(SHUT_WR))
  }

  private static func connect(to path: String) -> Int32? {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
    let length = socklen_t(MemoryLayout<sockaddr_un>.size)
    let status = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.connect(descriptor, $0, length) }
    }
    return status == 0 ? descriptor : nil
  }
}
