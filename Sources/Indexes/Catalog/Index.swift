public import Primitives

/// An index as `pg_index` and its neighbours describe it.
public struct Index: Sendable {
  /// In `pg_class`; names the index within one catalog only.
  public let oid: UInt32
  public let table: UInt32
  public let name: RelationName
  /// `btree`, `hash`, `gist`, `spgist`, `gin`, `brin`, or one of an extension.
  public var method = "btree"
  /// What rows are found by, without the INCLUDE columns.
  public var keys: [IndexKey]
  /// Column numbers of INCLUDE.
  public var included: [Int16] = []
  /// The WHERE clause of a partial index, as `pg_get_expr` prints it.
  public var predicate: String?

  /// Whether it belongs to a partitioned table and has no storage of its own.
  public var isPartitioned = false
  /// The partitioned index that it is attached to.
  public var parent: UInt32?
  /// How many partitions' indexes are attached right below it, in the catalog or not.
  public var attachedCount: Int64 = 0

  public var isUnique = false
  /// False for a deferrable constraint's.
  public var isImmediate = true
  public var hasNullsNotDistinct = false
  /// The primary key, unique or exclusion constraint that it enforces.
  public var constraint: IndexConstraint?
  /// Whether a foreign key of another table refers to its columns by it.
  public var isReferenced = false
  public var isReplicaIdentity = false
  public var isClustered = false

  /// Whether queries may use it.
  public var isValid = true
  /// Whether writes maintain it.
  public var isReady = true
  /// False once DROP INDEX CONCURRENTLY is past its last wait.
  public var isLive = true
  /// Whether it is invalid because somebody builds, rebuilds or drops it now.
  public var isInWork = false

  /// As SQL wants it; nil is the database's default.
  public var tablespace: String?
  /// `WITH (…)`, such as `fillfactor=50`.
  public var storage: [String] = []
  /// Statistics targets of its expressions, by the position of the key from 1.
  public var statisticsTargets: [Int16: Int32] = [:]
  public var comment: String?
  /// Extensions that it goes with (`DEPENDS ON EXTENSION`), as SQL wants their names.
  public var extensions: [String] = []
  public var sizeBytes: Int64 = 0
  /// As `pg_get_indexdef` prints it with an empty search_path.
  public var definition = ""
  /// Of one server, or of a cluster; see `Catalog.with`.
  public var usage = IndexUsage()
  /// What the usage ledger remembers of it.
  public var history: IndexHistory?
  /// Its file in the tablespace's directory; 0 where it has none. It changes when the index is written anew.
  public var relfilenode: Int64 = 0
  /// What a btree's entries are made of; nil for other methods and for small indexes.
  public var layout: BtreeLayout?
  /// Entries, as VACUUM, ANALYZE or the last build counted them; nil where none has.
  public var tuples: Int64?
  /// The fewest bytes per entry that the usage ledger has ever seen in this file of it; nil where it has seen none.
  public var bestBytesPerTuple: Double?
  /// When its row of `pg_index` was written, which is never before it was made; known only to servers that track commit
  /// times.
  public var madeAt: Timestamp?

  public init(oid: UInt32, table: UInt32, name: RelationName, keys: [IndexKey]) {
    self.oid = oid
    self.table = table
    self.name = name
    self.keys = keys
  }

  /// Whether it is whole: queries use it and writes maintain it.
  public var isWhole: Bool { isValid && isReady && isLive }
  /// Whether any of its keys is an expression, whose statistics the planner reads.
  public var hasExpressions: Bool { keyColumns.count < keys.count }
  /// Columns among the keys, without the expressions.
  public var keyColumns: [Int16] { keys.compactMap(\.column) }
}

/// One key of an index with everything that decides which queries it serves.
public struct IndexKey: Hashable, Sendable {
  // No enum: the optimiser of Swift 6.3 crashes ("outside of lifetime use") where it takes one apart in closures.
  /// By number in `pg_attribute`; nil for an expression.
  public let column: Int16?
  /// As `pg_get_indexdef(oid, n, false)` prints it; nil for a column. The node tree would not do: it holds places in the
  /// text.
  public let expression: ExactText?
  /// OID in `pg_opclass`; of classes that only differ in name the same.
  public var operatorClass: Int64 = 0
  /// OID in `pg_collation`; 0 for types without.
  public var collation: Int64 = 0
  /// Parameters of the operator class, such as `{siglen=100}`.
  public var options: String?
  public var isDescending = false
  public var hasNullsFirst = false

  /// A key on a column.
  public init(column: Int16) {
    self.column = column
    expression = nil
  }

  /// A key on an expression.
  public init(expression: ExactText) {
    column = nil
    self.expression = expression
  }

  /// The key as a scan in the other direction reads it.
  public var mirrored: IndexKey {
    var key = self
    key.isDescending.toggle()
    key.hasNullsFirst.toggle()
    return key
  }
}

/// The constraint that an index enforces.
public struct IndexConstraint: Sendable {
  /// Which constraint.
  public enum Kind: Sendable {
    case primaryKey
    case unique
    case exclusion
  }

  public let name: String
  public let kind: Kind
  public var isDeferrable = false
}

/// How much an index has been used since the statistics were last reset.
public struct IndexUsage: Sendable, Equatable {
  public var scans: Int64 = 0
  /// Index entries that scans returned.
  public var tuplesRead: Int64 = 0
  /// Live table rows that plain index scans fetched.
  public var tuplesFetched: Int64 = 0
  /// PostgreSQL 16 and later; nil also where there was none.
  public var lastScan: Timestamp?

  static func + (a: IndexUsage, b: IndexUsage) -> IndexUsage {
    IndexUsage(
      scans: a.scans.addingClamped(b.scans), tuplesRead: a.tuplesRead.addingClamped(b.tuplesRead),
      tuplesFetched: a.tuplesFetched.addingClamped(b.tuplesFetched),
      lastScan: [a.lastScan, b.lastScan].compactMap { $0 }.max())
  }
}
