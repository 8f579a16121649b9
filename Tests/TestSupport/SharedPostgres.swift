import Glibc
public import Sandbox

/// The one PostgreSQL of a test process, started at the first use. Tests that hurt a server take a
/// `PrivatePostgres` instead.
public actor SharedPostgres {
  /// The server of this process.
  public static let shared = SharedPostgres()

  private var starting: Task<PostgresAddress, any Error>?
  private var templates: [String: Task<Void, any Error>] = [:]
  private var directory: TemporaryDirectory?

  /// Options of the servers of the tests: a commit survives the death of the server, not of the machine. A thousand databases
  /// have their statements counted; one that ran once must not be forgotten before its test has asked for it.
  public static let options = SandboxOptions(
    servers: [.postgres], durable: false, maxConnections: 300, sharedBuffersMiB: 128,
    trackedStatements: 100_000, timeout: .seconds(120))

  /// Where the server is; starts it when it does not run yet. Fails, with the reason, where none is installed.
  public func address() async throws -> PostgresAddress {
    if let starting { return try await starting.value }
    let directory = try TemporaryDirectory("shared")
    self.directory = directory
    let task = Task {
      let sandbox = try Sandbox(directory: directory.path)
      return try PostgresAddress(try await sandbox.up(Self.options), programs: sandbox.programs())
    }
    starting = task
    return try await task.value
  }

  /// Makes the template once a process; later calls wait for the first.
  func prepare(_ template: DatabaseTemplate) async throws {
    if let made = templates[template.name] { return try await made.value }
    let task = Task {
      let address = try await address()
      let database = TestDatabase(name: template.databaseName, address: address)
      try await address.sql("create database \(database.name) template template0", database: "postgres")
      try await template.build(database)
    }
    templates[template.name] = task
    try await task.value
  }
}

extension PostgresAddress {
  /// The address of a sandbox that runs PostgreSQL.
  public init(_ status: SandboxStatus, programs: String?) throws {
    guard let server = status.servers.first(where: { $0.server == .postgres }), server.isRunning,
      let programs, let slash = server.socket.lastIndex(of: "/")
    else { throw TestFailure("PostgreSQL does not run in \(status.directory).") }
    self.init(host: String(server.socket[..<slash]), port: 5432, programs: programs)
  }
}
