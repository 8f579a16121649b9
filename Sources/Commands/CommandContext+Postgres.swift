import Configuration
import Ledger
import Postgres
import Synchronization

extension CommandContext {
  /// Opens a session to the configured database, with the configured time-outs.
  ///
  /// - Throws: `ConfigurationFailure`, `PostgresError`.
  func openSession() throws -> Session {
    let configuration = try configuration()
    return try Session(
      connecting: ConnectionString(try configuration.database().value),
      options: SessionOptions(configuration.values.database))
  }

  /// As `openSession()`; the first signal cancels the running statement instead of ending the process.
  func openCancellableSession() throws -> Session {
    let session = try openSession()
    let canceller = session.canceller
    let registration = try signals.onStop { canceller.cancel() }
    registrations.withLock { $0.append(registration) }
    return session
  }

  /// The wallet domain on a new session.
  func ledger() throws -> Ledger { Ledger(try openSession()) }

  /// Moves money; connects when it is first used.
  func transferProcessor() -> TransferProcessor {
    TransferProcessor(shouldStop: { [signals] in signals.received != nil }) {
      try self.openCancellableSession()
    }
  }
}

extension SessionOptions {
  init(_ database: Configuration.Database) {
    self.init(
      connectTimeout: .seconds(database.connectTimeoutSeconds),
      statementTimeout: .seconds(database.statementTimeoutSeconds),
      lockTimeout: .seconds(database.lockTimeoutSeconds))
  }
}
