public import Postgres
public import Primitives

/// A kind of work on many rows: what to visit, and what to do with a chunk of it.
///
/// ```swift
/// let job: any Job = SQLJob(table: "orders", key: "id", statement: "update orders … where id = any($1)")
/// try await JobRunner(job, settings: settings, environment: environment).run { status in print(status.run.done) }
/// ```
public protocol Job: Sendable {
  /// The name under which it is run, such as `sql`.
  var name: String { get }
  /// What makes it this work and no other. A run that was left unfinished is recognised by it, and the job is
  /// made again out of it.
  var options: [String: String] { get }
  /// What the job can bear.
  var limits: JobLimits { get }
  /// Whether it finds by itself what is left to do, so that one run more than was asked for does no harm.
  var isRepeatable: Bool { get }

  /// Checks, before anything is recorded, that the work can be done. In a transaction that can only read.
  ///
  /// - Throws: a `Failure` that says what to change.
  func prepare(_ session: Session) throws -> any PreparedJob
}

/// How much of a job may be in one chunk and at work at a time.
public struct JobLimits: Sendable {
  /// The most rows of a chunk.
  public let chunkSize: Int
  /// The most chunks in flight.
  public let concurrency: Int

  public init(chunkSize: Int = .max, concurrency: Int = .max) {
    self.chunkSize = chunkSize
    self.concurrency = concurrency
  }
}

/// A job whose work has been found possible on this database.
public protocol PreparedJob: Sendable {
  /// What is visited, in which order.
  var keys: KeySource { get }

  /// What a key stands for, in plans for people. Anything but a row is visited one a chunk, by name.
  var item: ItemNoun { get }

  /// Whether the work is part of the transaction that marks the chunk as done, which is all of exactly once. What the server
  /// allows in no transaction is done before it, and must come to the same when it is done twice.
  var isTransactional: Bool { get }

  /// Does the work of one chunk: inside the transaction that is open and ends with the chunk, or, where it is not transactional,
  /// outside of any.
  ///
  /// - Returns: what was done. Items that a rule refused are told there, and the rest of the chunk stands.
  /// - Throws: where nothing of the chunk shall stand. See `ChunkError` for what happens then.
  func work(_ chunk: Chunk, _ session: Session) throws -> ChunkWork

  /// What the work would be, for people: the server's plan for the first chunk, for instance. In a
  /// transaction that can only read.
  func explain(_ chunk: Chunk, _ session: Session) throws -> [String]
}

/// What a job visits, as people call it.
public struct ItemNoun: Sendable, Equatable {
  public let singular: String
  public let plural: String

  public init(_ singular: String, _ plural: String) {
    self.singular = singular
    self.plural = plural
  }

  public static let row = ItemNoun("row", "rows")
}

extension PreparedJob {
  public var item: ItemNoun { .row }
  public var isTransactional: Bool { true }
}

/// Rows that are worked on in one transaction: all whose keys lie between two.
public struct Chunk: Sendable, Equatable {
  /// The run that it belongs to.
  public let run: Identifier
  /// Names it within the run.
  public let number: Int64
  /// The first key, in text, a column each.
  public let first: [String]
  /// The last key; it belongs to the chunk.
  public let last: [String]
  /// How many rows there were when it was planned.
  public let rows: Int64

  public init(run: Identifier, number: Int64, first: [String], last: [String], rows: Int64) {
    self.run = run
    self.number = number
    self.first = first
    self.last = last
    self.rows = rows
  }
}

/// What a chunk's work came to.
public struct ChunkWork: Sendable {
  /// Rows that were there.
  public var visited: Int64
  /// Rows that were changed, or whatever the job counts.
  public var affected: Int64
  /// Items that were refused by a rule.
  public var failures: [ItemFailure]
  /// Called once the chunk is committed, before anybody is told; not where that is uncertain. The session may be used for
  /// further transactions.
  public var afterCommit: (@Sendable (Session) -> Void)?

  public init(
    visited: Int64, affected: Int64, failures: [ItemFailure] = [],
    afterCommit: (@Sendable (Session) -> Void)? = nil
  ) {
    self.visited = visited
    self.affected = affected
    self.failures = failures
    self.afterCommit = afterCommit
  }
}

/// A row that could not be worked on, and why.
public struct ItemFailure: Sendable, Equatable {
  /// Its key, in text, a column each.
  public let key: [String]
  /// SQLSTATE, or the code of a business rule.
  public let code: String
  public let message: String

  public init(key: [String], code: String, message: String) {
    self.key = key
    self.code = code
    self.message = message
  }
}
