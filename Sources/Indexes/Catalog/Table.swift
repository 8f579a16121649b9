public import Primitives

/// A table that can have indexes: a plain one, a partitioned one, a materialised view.
public struct Table: Sendable {
  /// In `pg_class`; names the table within one catalog only.
  public let oid: UInt32
  public let name: RelationName
  /// Whether it only holds partitions.
  public var isPartitioned = false
  /// How many partitions it has right below it, in the catalog or not: foreign tables and what somebody has locked are not.
  public var partitionCount: Int64 = 0
  /// How many of these somebody has locked, so that nothing is known of them.
  public var lockedPartitionCount: Int64 = 0
  /// The table that it is a partition of.
  public var parent: UInt32?
  /// The planner's estimate of rows; nil where nobody has counted yet.
  public var rows: Int64?
  /// The heap without its TOAST table and indexes, in bytes.
  public var sizeBytes: Int64 = 0
  /// Those that an index, its WHERE clause or a foreign key names, by number.
  public var columns: [Int16: Column] = [:]
  public var counters = TableCounters()
  /// The role that owns the table and its indexes.
  public var owner = ""
  /// Whether the role that reads the catalog has the owner's rights: it is the owner, a member, or a superuser.
  public var isOwned = true
  /// Whether `pg_stats` may be seen and has nothing on any column.
  public var lacksStatistics = false
}

/// A column that an index, its WHERE clause or a foreign key names.
public struct Column: Sendable {
  public let name: String
  /// The name as SQL wants it.
  public let quoted: String
  public var isBoolean = false
  /// Whether it is a smallint, an integer or a bigint, and not a domain over one.
  public var isInteger = false
  /// OID; 0 for types without collation.
  public var collation: Int64 = 0
  /// How many values it has, when `pg_stats` may be seen and says that there are few.
  public var distinctValues: Double?
}

/// What the cumulative statistics count of a table since they were last reset.
public struct TableCounters: Sendable {
  public var sequentialScans: Int64 = 0
  public var sequentialRowsRead: Int64 = 0
  public var inserted: Int64 = 0
  public var updated: Int64 = 0
  public var deleted: Int64 = 0
  /// Updates that touched no index (heap-only tuples).
  public var hotUpdated: Int64 = 0
  /// Updates that had to go to another page; PostgreSQL 16 and later.
  public var newPageUpdated: Int64?
  public var modifiedSinceAnalyze: Int64 = 0
  public var liveRows: Int64 = 0
  /// The later of ANALYZE and autovacuum's.
  public var lastAnalyze: Timestamp?

  /// Row changes that every index of the table had to follow.
  public var indexWrites: Int64 { inserted + max(0, updated - hotUpdated) }
  /// All row changes.
  public var writes: Int64 { inserted + updated + deleted }

  static func + (a: TableCounters, b: TableCounters) -> TableCounters {
    var sum = a
    sum.sequentialScans += b.sequentialScans
    sum.sequentialRowsRead += b.sequentialRowsRead
    sum.inserted += b.inserted
    sum.updated += b.updated
    sum.deleted += b.deleted
    sum.hotUpdated += b.hotUpdated
    if let more = b.newPageUpdated { sum.newPageUpdated = (sum.newPageUpdated ?? 0) + more }
    sum.modifiedSinceAnalyze += b.modifiedSinceAnalyze
    sum.liveRows += b.liveRows
    return sum
  }
}
