import Glibc
import Primitives
import TestSupport
import Testing

@testable import Postgres

@Suite(.timeLimit(.minutes(2)))
struct ConnectTests {
  private static let secret = "s3cr3t"

  /// Connects, and reports how it failed and after how long.
  private func attempt(
    _ url: String, _ options: SessionOptions = SessionOptions()
  ) async throws -> (error: PostgresError?, seconds: Double) {
    try await blocking {
      var error: PostgresError?
      let time = seconds {
        error = failure { _ = try Session(connecting: try ConnectionString(url), options: options) }
      }
      return (error, time)
    }
  }

  @Test(arguments: [
    "postgresql://user:s3cr3t@ss@host/db", "postgresql://user:s3/cr3t@host/db",
    "postgresql://u:s3cr3t%zz@h/db",
    "postgresql://user:12/s3cr3t@host/db", "host=x password=s3cr3t extra", "password='s3cr3t", "s3cr3t",
    "postgresql://user:s3cr3t@host:port/db", "postgresql://u:s3cr3t@h/db?nonsense=1",
    "postgresql://u:s3cr3t@[::1/db", "mysql://u:s3cr3t@h/db",
  ])
  func malformedStringsNeverEchoTheirContent(text: String) {
    let error = failure { _ = try ConnectionString(text) }
    #expect(error?.kind == .configuration)
    let said = "\(String(describing: error?.message)) \(String(describing: error?.hint))"
    #expect(!said.contains(Self.secret) && !said.contains("cr3t"))
  }

  @Test func refusedConnectionsAndWrongDatabases() async throws {
    let refused = try await attempt("postgresql://u:\(Self.secret)@127.0.0.1:1/db")
    #expect(refused.error?.code == "database_unreachable" && refused.error?.kind == .unreachable)
    #expect(refused.seconds < 5)
    #expect(refused.error?.message.contains(Self.secret) == false)
    let socket = try await attempt("postgresql:///db?host=/nowhere")
    #expect(socket.error?.kind == .unreachable)
    try await withDatabase { database async throws in
      let wrong = try await attempt(database.address.url(database: "no_such_database"))
      #expect(wrong.error?.kind == .unreachable)
      #expect(wrong.error?.message.contains("no_such_database") == true)
    }
  }

  /// A listener that accepts and never says a word.
  @Test func aSilentServerIsGivenUpInTime() async throws {
    let listener = try Listener()
    let url = "postgresql://u:\(Self.secret)@127.0.0.1:\(listener.port)/db"
    let result = try await attempt(url, SessionOptions(connectTimeout: .seconds(2)))
    listener.close()
    #expect(result.error?.kind == .unreachable)
    #expect(result.seconds < 8, "\(result.seconds)")
    #expect(result.error?.message.contains(Self.secret) == false)
  }

  @Test func severalHosts() async throws {
    try await withDatabase { database async throws in
      let address = database.address
      let hosts =
        "host=/nowhere,\(address.host) port=1,\(address.port) user=ironforge dbname=\(database.name)"
      try await withSession("\(hosts) target_session_attrs=read-write") { session throws in
        let isPooled = session.isPooled
        let name = session.database
        #expect(!isPooled)
        #expect(name == database.name)
        #expect(try answers(session))
      }
      let standby = try await attempt("\(hosts) target_session_attrs=standby")
      #expect(standby.error?.kind == .unreachable)
    }
  }

  @Test func settingsOfTheSession() async throws {
    try await withDatabase { database async throws in
      let options = SessionOptions(
        statementTimeout: .seconds(7), lockTimeout: .milliseconds(1500), applicationName: "tester")
      try await withSession(database.url, options) { session throws in
        let sql =
          "select concat_ws(' ', current_setting('statement_timeout'), current_setting('lock_timeout'), current_setting('application_name'), current_setting('client_encoding'))"
        #expect(try scalar(session, sql, String.self) == "7s 1500ms tester UTF8")
        let version = session.serverVersion
        #expect(version >= 130_000)
        let backend = session.backendPID
        #expect(try scalar(session, "select pg_backend_pid()", Int32.self) == backend)
      }
      // The caller's own options win.
      try await withSession(database.url + "&options=-c%20work_mem%3D123MB%20-c%20lock_timeout%3D9s", options)
      {
        session throws in
        #expect(try scalar(session, "select current_setting('work_mem')", String.self) == "123MB")
        #expect(try scalar(session, "select current_setting('lock_timeout')", String.self) == "9s")
      }
    }
  }
}

/// A TCP socket on which nobody answers.
struct Listener {
  private let descriptor: Int32
  let port: UInt16

  init() throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let descriptor = descriptor
    let isBound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        bind(descriptor, pointer, length) == 0 && listen(descriptor, 16) == 0
          && getsockname(descriptor, pointer, &length) == 0
      }
    }
    guard isBound else { throw TestFailure("no socket: errno \(errno)") }
    port = UInt16(bigEndian: address.sin_port)
  }

  /// The next connection.
  func accept() -> Int32? {
    let accepted = Glibc.accept(descriptor, nil, nil)
    return accepted >= 0 ? accepted : nil
  }

  func close() { Glibc.close(descriptor) }
}
