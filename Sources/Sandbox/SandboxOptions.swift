/// A server that a sandbox can hold.
public enum SandboxServer: String, Sendable, CaseIterable {
  case postgres
  case redis
}

/// How the servers of a sandbox are started. A server that runs already keeps the options of its own start.
public struct SandboxOptions: Sendable {
  /// Which servers to start.
  public var servers: Set<SandboxServer>
  /// Whether an acknowledged commit survives a power cut. Tests say `false`: `fsync` and `full_page_writes` are
  /// then off, `synchronous_commit` stays on, so a commit still survives `kill -9` of the server.
  public var durable: Bool
  /// PostgreSQL's `max_connections`.
  public var maxConnections: Int
  /// PostgreSQL's `shared_buffers`, in MiB.
  public var sharedBuffersMiB: Int
  /// PostgreSQL's `pg_stat_statements.max`: beyond, those that ran seldom are forgotten.
  public var trackedStatements: Int
  /// The bound on the whole of `up`.
  public var timeout: Duration

  /// The defaults are those of a person's sandbox: both servers, durable.
  public init(
    servers: Set<SandboxServer> = Set(SandboxServer.allCases), durable: Bool = true,
    maxConnections: Int = 200, sharedBuffersMiB: Int = 256, trackedStatements: Int = 5000,
    timeout: Duration = .seconds(60)
  ) {
    self.servers = servers
    self.durable = durable
    self.maxConnections = maxConnections
    self.sharedBuffersMiB = sharedBuffersMiB
    self.trackedStatements = trackedStatements
    self.timeout = timeout
  }
}
