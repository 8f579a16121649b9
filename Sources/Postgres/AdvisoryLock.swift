internal import Primitives

/// A lock in the database by a pair of numbers, which one session at a time holds, for as long as it lives.
///
/// It is polled and never waited for inside the server: a statement that waits is a transaction that `CREATE INDEX
/// CONCURRENTLY` waits for in turn. Standbys have advisory locks, too, each its own. Pairs of numbers share no lock
/// with single ones.
public struct AdvisoryLock: Sendable, Hashable {
  let space: Int32
  let number: Int32

  private static let pollInterval = Duration.milliseconds(100)

  /// - Parameters:
  ///   - space: what kind of lock it is.
  ///   - number: which one of them.
  public init(space: Int32, number: Int32) {
    self.space = space
    self.number = number
  }

  /// What asking for a lock came to.
  public enum Acquisition {
    case held(HeldLock)
    /// Somebody else still had it at the end of the wait; `holder` says who, where the role may see that.
    case busy(holder: String?)
  }

  /// Asks for the lock until it is to be had or `wait` is over; once at least.
  ///
  /// Behind a pooler in transaction mode the lock of a session would stay with a server connection that others use.
  /// There it is the lock of a transaction that is left open, which keeps that connection to this session: it has no
  /// snapshot and no row locks, so that neither vacuum nor `CREATE INDEX CONCURRENTLY` wait for it.
  ///
  /// - Parameters:
  ///   - session: outside a transaction. Behind a pooler it is good for nothing else while the lock is held.
  ///   - check: asked between attempts; what it throws ends the wait.
  ///   - whenBusy: called once, before the wait begins.
  /// - Throws: `PostgresError`, and what `check` throws.
  public func acquire(
    on session: Session, wait: Duration, check: () throws -> Void = {},
    whenBusy: (_ holder: String?) -> Void = { _ in }
  ) throws -> Acquisition {
    let deadline = Deadline.after(wait)
    let isShared = try session.isShared()
    var isFirst = true
    while true {
      if try isShared ? tryInTransaction(session) : tryInSession(session) {
        return .held(HeldLock(lock: self, session: session, isInTransaction: isShared))
      }
      let holder: String? = try session.query(Self.holder(space, number)).first?.decodeIfPresent(0)
      if deadline.hasPassed { return .busy(holder: holder) }
      if isFirst { whenBusy(holder) }
      isFirst = false
      try pause(for: min(Self.pollInterval, deadline.remaining), check: check)
    }
  }

  private func tryInSession(_ session: Session) throws(PostgresError) -> Bool {
    guard try session.query(Self.tryLock(space, number))[0].decode(0, as: Bool.self) else { return false }
    try session.simple(Self.outlivingIdleness(local: false, serverVersion: session.serverVersion))
    return true
  }

  private func tryInTransaction(_ session: Session) throws(PostgresError) -> Bool {
    let statements = session.beginning() + [Self.tryTransactionLock(space, number)]
    guard let answer = try session.pipeline(statements).last, try answer[0].decode(0, as: Bool.self) else {
      session.rollback()
      return false
    }
    // By the simple protocol, as the last statement: the extended one leaves its portal open until the next, and with
    // the portal its snapshot.
    try session.simple(Self.outlivingIdleness(local: true, serverVersion: session.serverVersion))
    return true
  }
}

/// A lock that is held, until `release` or the end of its session.
public struct HeldLock {
  fileprivate let lock: AdvisoryLock
  fileprivate let session: Session
  fileprivate let isInTransaction: Bool

  /// Gives the lock back; a session that cannot do it is closed, which does it.
  ///
  /// - Returns: whether the lock was held until now. False when the connection was lost on the way.
  @discardableResult
  public func release() -> Bool {
    guard session.isOpen else { return false }
    do throws(PostgresError) {
      if isInTransaction { return try session.query(Statement.commit()).commandTag == "COMMIT" }
      session.rollback()
      return try session.query(AdvisoryLock.unlock(lock.space, lock.number))[0].decode(0)
    } catch {
      session.close()
      return false
    }
  }
}

extension AdvisoryLock {
  static let statements = [tryLock, tryTransactionLock, unlock, holder]

  private static let tryLock = Statement(
    "select pg_try_advisory_lock($1, $2)", parameters: [.int4, .int4], columns: [.bool])

  private static let tryTransactionLock = Statement(
    "select pg_try_advisory_xact_lock($1, $2)", parameters: [.int4, .int4], columns: [.bool])

  fileprivate static let unlock = Statement(
    "select pg_advisory_unlock($1, $2)", parameters: [.int4, .int4], columns: [.bool])

  // A role that may not see the other's activity sees its process id all the same.
  private static let holder = Statement(
    """
    select format('process %s', a.pid) || coalesce(format(' (%s)', nullif(a.application_name, '')), '')
      || coalesce(to_char(a.backend_start at time zone 'UTC', '" since "YYYY-MM-DD"T"HH24:MI:SS"Z"'), '')
    from pg_catalog.pg_locks l
    join pg_catalog.pg_stat_activity a on a.pid = l.pid
    where l.locktype = 'advisory' and l.granted and l.classid = $1::int4::oid and l.objid = $2::int4::oid
      and l.objsubid = 2 and l.database = (select oid from pg_catalog.pg_database where datname = current_database())
    limit 1
    """, parameters: [.int4, .int4], columns: [.text])

  /// Whoever holds a lock says nothing for hours, and must not be ended for it.
  private static func outlivingIdleness(local: Bool, serverVersion: Int) -> String {
    let since = [
      ("idle_in_transaction_session_timeout", 90_600), ("idle_session_timeout", 140_000),
      ("transaction_timeout", 170_000),
    ]
    return since.filter { $0.1 <= serverVersion }.map { "set \(local ? "local" : "session") \($0.0) = 0" }
      .joined(separator: "; ")
  }
}
