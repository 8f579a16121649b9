/// From where on a check is a fault. docs/operations.md, "Doctor", has them with their sources.
public struct CheckupLimits: Sendable {
  /// A transfer takes milliseconds; who holds its locks for so long waits for something that is not the database.
  public var idleInTransactionSeconds = 10.0
  /// VACUUM can remove nothing that a transaction of this age may see (pghero warns from a minute on).
  public var longTransactionSeconds = 300.0
  public var preparedTransactionSeconds = 300.0
  /// As `database.lock_timeout_secs`: our own statements give up by then.
  public var lockWaitSeconds = 5.0

  /// Twice `autovacuum_freeze_max_age` means that autovacuum does not keep up; a billion is half of all there are
  /// (PostgreSQL manual, "Preventing Transaction ID Wraparound Failures").
  public var freezeAgeFactor = 2.0
  public var transactionAgeMax: Int64 = 1_000_000_000

  /// research/dba.md: peers draw the line between 0.95 and 0.985.
  public var bufferHitShare = 0.95
  public var bufferReadsMin: Int64 = 1_000_000

  /// Share of the connections of ordinary roles.
  public var connectionShare = 0.8

  public var replicationLagSeconds = 30.0
  /// More than a standby makes up in seconds; also what a slot may hold back.
  public var replicationLagBytes: Int64 = 1 << 30
  public var slotBytes: Int64 = 1 << 30

  /// Checkpoints that the volume of WAL forced, as share of all (pgmetrics, pghero's guide: most should be timed).
  public var checkpointsForcedShare = 0.5
  public var checkpointsMin: Int64 = 20

  /// Average over the time that is counted.
  public var tempBytesPerHour = Double(1 << 30)

  /// Mean times of statements with fewer calls are chance.
  public var statementCallsMin: Int64 = 100
  /// Reads of single rows from which on batching pays, and how many of them fall on one batched read.
  public var singleReadsMin: Int64 = 1000
  public var singleReadsPerBatch: Int64 = 100

  /// Lookups from which on a hit rate says something.
  public var lookupsMin: Int64 = 1000
  /// Five minutes is how often cron drains the outbox.
  public var outboxSeconds = 300.0
  public var outboxRows: Int64 = 10_000
  /// Users who were here in seven days, the last ones first.
  public var warmthSample = 1000
  /// The scripts of the fences and our clients need no less; 6.0 has no ACL categories for them.
  public var redisVersionMin = [6, 2]
  /// Of `maxmemory`, under a policy that evicts nothing.
  public var redisMemoryShare = 0.8

  public init() {}
}
