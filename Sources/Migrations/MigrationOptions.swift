/// How patiently migrations are applied.
public struct MigrationOptions: Sendable {
  /// How long to wait for another process that is migrating the same database.
  public var lockWait: Duration
  /// How long a statement waits for a lock on a table before it gives way: who waits for an exclusive lock
  /// stops everybody who comes later.
  public var lockTimeout: Duration
  /// How often a migration is tried that had to give way.
  public var attemptsMax: Int
  /// Bound on one statement. Building an index on a large table takes long.
  public var statementTimeout: Duration

  public init(
    lockWait: Duration = .zero, lockTimeout: Duration = .seconds(5), attemptsMax: Int = 6,
    statementTimeout: Duration = .seconds(4 * 3600)
  ) {
    self.lockWait = lockWait
    self.lockTimeout = lockTimeout
    self.attemptsMax = attemptsMax
    self.statementTimeout = statementTimeout
  }
}

/// What happens while migrations run, for messages to the person who waits.
public enum MigrationEvent: Sendable {
  /// Another process holds the lock; the wait has begun.
  case waitingForLock(holder: String?)
  case started(file: String, revert: Bool)
  case finished(file: String, revert: Bool, milliseconds: Int64)
  /// A lock was not to be had; the next attempt follows after `delay`.
  case retrying(file: String, reason: String, delay: Duration)
  /// An index that an interrupted build left behind was dropped, to be built again.
  case droppedInvalidIndex(String)
}

/// Something that `verify` found.
public struct MigrationFinding: Sendable, Equatable {
  /// What is wrong. The raw value is what JSON shows.
  public enum Kind: String, Sendable {
    case pending
    case changed
    case missingFile = "missing_file"
    case unfinished
    case outOfOrder = "out_of_order"
    case invalidIndex = "invalid_index"
  }

  public let kind: Kind
  /// Nil for an index.
  public let version: Int64?
  /// The file, the migration's name where there is no file, or the index.
  public let subject: String
  /// One sentence.
  public let message: String
}
