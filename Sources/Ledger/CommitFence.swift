public import Postgres
public import Primitives

/// The rows that a transaction changes and of which others may keep copies, such as a cache.
public struct ChangedRows: Sendable, Equatable {
  /// Users that were created or changed.
  public var users: [Identifier]
  /// Wallets that were created or changed, or that hold another amount now.
  public var wallets: [Identifier]

  public init(users: [Identifier] = [], wallets: [Identifier] = []) {
    self.users = users
    self.wallets = wallets
  }

  /// Whether no copy is touched.
  public var isEmpty: Bool { users.isEmpty && wallets.isEmpty }
}

/// A transaction that is about to change such rows, as its server describes it.
public struct FencedTransaction: Sendable, Equatable {
  /// `pg_current_xact_id()`.
  public let id: UInt64
  /// `pg_current_snapshot()` of a moment within it.
  public let snapshot: String
  /// Whether nothing waited in the outbox when the transaction looked.
  public let isOutboxEmpty: Bool

  /// Borne by every transaction that fences, from before it does until it is over: when Redis has forgotten fences, these are
  /// the ones to wait for.
  public static let mark = TransactionMark(space: 1_768_320_359, number: 1_717_923_427)

  public init(id: UInt64, snapshot: String, isOutboxEmpty: Bool) {
    self.id = id
    self.snapshot = snapshot
    self.isOutboxEmpty = isOutboxEmpty
  }
}

/// What became of the copies of the rows of one transaction.
public struct RaisedFence: Sendable {
  public let rows: ChangedRows
  public let transaction: FencedTransaction
  /// The names of all copies, where they could not be fenced: they go into the outbox, in the same transaction.
  public let missed: [String]
  /// By which whoever raised the fence knows how it did so.
  public let token: Int?
  /// The rows of the outbox that hold those names, once the server has said them.
  public internal(set) var outboxRows: [Int64] = []

  public init(
    _ rows: ChangedRows, by transaction: FencedTransaction, missed: [String] = [], token: Int? = nil
  ) {
    self.rows = rows
    self.transaction = transaction
    self.missed = missed
    self.token = token
  }
}

/// Keeps copies of the ledger's rows from outliving a transaction that changes them.
///
/// Neither call throws: trouble with copies never stops the ledger. What could not be fenced stands in the outbox
/// (`ironforge.cache_outbox`) as soon as the transaction is committed.
public protocol CommitFence: Sendable {
  /// Fences the copies of rows, after they were locked and before COMMIT is sent. PostgreSQL works meanwhile; others may
  /// wait for the locks, so it returns soon, whatever happens.
  func raise(_ rows: ChangedRows, by transaction: FencedTransaction) -> RaisedFence

  /// Looks after fences whose transactions are committed, before their caller is told: they must still be there, and what
  /// waits in the outbox is tried again. No lock is held any more.
  func settle(_ fences: [RaisedFence], on session: Session)
}
