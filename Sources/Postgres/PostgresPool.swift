public import ConnectionPool

/// A pool of connections to PostgreSQL.
public typealias PostgresPool = ConnectionPool<Connection>

extension ConnectionPool where Connection == Postgres.Connection {
  /// A pool with nothing open yet. Each connection has a thread of its own.
  public convenience init(
    _ target: ConnectionString, options: SessionOptions = SessionOptions(),
    configuration: PoolConfiguration = .default
  ) {
    self.init(configuration: configuration) { deadline in
      try await Postgres.Connection.connect(to: target, options: options, deadline: deadline)
    }
  }
}
