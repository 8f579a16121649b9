/// A mark that transactions set on themselves and that others can list while they run.
///
/// It is an advisory lock that is only ever taken shared, so that setting it waits for nobody, and that the server gives
/// back when the transaction is over and not before: also one that was prepared, or whose session has died unnoticed.
public struct TransactionMark: Sendable {
  private let space: Int32
  private let number: Int32

  /// - Parameters:
  ///   - space: as an ``AdvisoryLock``'s, with which it must not share its numbers.
  ///   - number: which mark it is.
  public init(space: Int32, number: Int32) {
    self.space = space
    self.number = number
  }

  /// The call that sets it, for the FROM of a statement.
  public var setting: String { "pg_catalog.pg_advisory_xact_lock_shared(\(space), \(number))" }

  /// The transactions of this database that bear it, of those that had their numbers when `latest` was assigned.
  ///
  /// - Parameter latest: a `pg_current_xact_id()` of this server, assigned before the call.
  /// - Throws: `PostgresError`.
  public func bearers(upTo latest: UInt64, _ session: Session) throws(PostgresError) -> [UInt64] {
    try session.query(Self.bearers(Int64(bitPattern: latest), space, number)).map {
      row throws(PostgresError) in UInt64(bitPattern: try row.decode(0))
    }
  }

  static let statements = [bearers]

  private static let bearers = Statement(
    """
    -- pg_locks, which every role may read, has the low halves of the numbers; $1 is whole, and none that it shows is
    -- 2^31 older. One that is newer than $1 seems to be far older. Of a transaction and its subtransactions the oldest is
    -- the transaction. One scan: between two a transaction could change.
    select $1 - max(age.of) filter (where age.is_own)
    from pg_catalog.pg_locks l,
      lateral (select ($1 - l.transactionid::text::int8) & 4294967295) as distance (back),
      lateral (
        select back, l.locktype = 'transactionid' and l.mode = 'ExclusiveLock' and back < 2147483648
      ) as age (of, is_own)
    group by l.virtualtransaction
    having bool_or(
        l.locktype = 'advisory' and l.mode = 'ShareLock' and l.granted
        and l.classid = $2::int4::oid and l.objid = $3::int4::oid and l.objsubid = 2
        and l.database = (select oid from pg_catalog.pg_database where datname = current_database()))
      and bool_or(age.is_own)
    """, parameters: [.int8, .int4, .int4], columns: [.int8])
}
