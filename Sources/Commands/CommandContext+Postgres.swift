package import Configuration
import ConnectionPool
import Ledger
package import Postgres
import Primitives
import Synchronization

extension CommandContext {
  /// Opens a session to the configured database, with the configured time-outs.
  ///
  /// - Parameter name: how `pg_stat_activity` calls it; nil is `ironforge`.
  /// - Throws: `ConfigurationFailure`, `PostgresError`.
  func openSession(as name: String? = nil) throws -> Session {
    let configuration = try configuration()
    var options = SessionOptions(configuration.values.database)
    if let name { options.applicationName = name }
    return try Session(connecting: ConnectionString(try configuration.database().value), options: options)
  }

  /// What opens a session to the first of `database.replicas` that can be reached; each is given
  /// `database.connect_timeout_secs`.
  ///
  /// - Throws: `ConfigurationFailure` where none is named. What it returns throws `replicas_unreachable`, and
  ///   `PostgresError` where a replica answers and refuses.
  func replicaConnector(as name: String? = nil) throws -> @Sendable () throws -> Session {
    let database = try configuration().values.database
    guard !database.replicas.isEmpty else { throw ConfigurationFailure.replicasNotConfigured }
    let targets = try database.replicas.map { try ConnectionString($0) }
    var named = SessionOptions(database)
    if let name { named.applicationName = name }
    let options = named
    return {
      var reasons: [String] = []
      for target in targets {
        do throws(PostgresError) {
          return try Session(connecting: target, options: options)
        } catch {
          guard error.kind == .unreachable else { throw error }
          reasons.append(error.message)
        }
      }
      throw SimpleFailure(
        .unreachable, code: "replicas_unreachable",
        message: "none of database.replicas can be reached: \(reasons.joined(separator: "; "))",
        hint: "start one of them, or leave out --from-replica", isRetryable: true)
    }
  }

  /// As `openSession()`; the first signal cancels the running statement instead of ending the process.
  func openCancellableSession(as name: String? = nil) throws -> Session {
    let session = try openSession(as: name)
    let canceller = session.canceller
    let registration = try signals.onStop { canceller.cancel() }
    registrations.withLock { $0.append(registration) }
    return session
  }

  /// A pool by the keys of `[database]`, for a command that wants `connections` at the same time.
  ///
  /// - Throws: a usage failure when that is more than `database.max_connections` allows.
  package func pool(connections: Int) throws -> PostgresPool {
    let configuration = try configuration()
    let database = configuration.values.database
    guard connections <= database.maxConnections else {
      throw SimpleFailure(
        .usage, code: "too_many_connections_asked",
        message:
          "\(connections) connections are more than database.max_connections (\(database.maxConnections))",
        hint: "ask for fewer, or raise database.max_connections")
    }
    return PostgresPool(
      try ConnectionString(try configuration.database().value), options: SessionOptions(database),
      configuration: try PoolConfiguration(
        maxConnections: database.maxConnections,
        minConnections: min(database.minConnections, database.maxConnections),
        connectTimeout: .seconds(database.connectTimeoutSeconds),
        idleTimeout: .seconds(database.idleTimeoutSeconds),
        maxLifetime: .seconds(database.maxLifetimeSeconds)))
  }

  /// The wallet domain on a new session.
  func ledger() throws -> Ledger { Ledger(try openSession()) }

  /// The same for a command that changes something.
  func writingLedger() throws -> Ledger {
    let fence = try commitFence()
    return Ledger(try openSession(), fence: fence)
  }

  /// Moves money; connects when it is first used.
  ///
  /// - Throws: as `commitFence` does.
  func transferProcessor() throws -> TransferProcessor {
    TransferProcessor(fence: try commitFence(), shouldStop: { [signals] in signals.received != nil }) {
      try self.openCancellableSession()
    }
  }
}

extension SessionOptions {
  package init(_ database: Configuration.Database) {
    self.init(
      connectTimeout: .seconds(database.connectTimeoutSeconds),
      statementTimeout: .seconds(database.statementTimeoutSeconds),
      lockTimeout: .seconds(database.lockTimeoutSeconds))
  }
}
