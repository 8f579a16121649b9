/// From where on the rules speak. Each figure is the field's; docs/indexes.md says whose.
public struct Thresholds: Sendable {
  /// Usage that was counted for less than this proves nothing.
  public var statisticsAge = Duration.seconds(30 * 86_400)
  /// Scans up to which an index counts as unused.
  public var scansUnused: Int64 = 0
  /// Scans for each write below which an index is hardly used, from `writesMany` on (dataegret's pg-utils).
  public var scansPerWrite = 0.01
  public var writesMany: Int64 = 10_000

  /// The planner reads a table with fewer bytes whole, now and then also where an index would do (pghero's floor, of the
  /// index there).
  public var tableBytesFew: Int64 = 1 << 20

  /// A table with fewer bytes needs no index for its foreign keys; nor one that nobody writes, whose parent is small.
  public var foreignKeyTableBytes: Int64 = 9 << 20
  public var foreignKeyTableWrites: Int64 = 1000
  public var foreignKeyParentBytes: Int64 = 10 << 20

  /// Rows from which on reading a table whole matters.
  public var rowsMany: Int64 = 10_000
  /// Sequential scans that a nightly dump makes in a few months.
  public var sequentialScansMany: Int64 = 100
  /// Share of scans by index below which a big table seems to lack one (pghero).
  public var indexScanShare = 0.95
  /// Values up to which a column separates too little.
  public var fewValues = 10.0
  /// Share of a table that a scan returns at most, when it looks for the rare values of a column with few.
  public var rareShare = 0.05

  /// Indexes from which on writes are taken for costly.
  public var indexesMany = 5
  /// Share of updates that moved to a new page (PostgreSQL 16), or could not be heap-only, from `writesMany` on.
  public var newPageShare = 0.2
  public var nonHotShare = 0.8

  /// How many times larger than a fresh build an index is that is rebuilt (pg_index_watch), and how many bytes that gains
  /// at least.
  public var bloatRatio = 2.0
  public var bloatWasteBytes: Int64 = 10 << 20

  /// As autovacuum_analyze_scale_factor and autovacuum_analyze_threshold.
  public var changedShare = 0.1
  public var changesBorne: Int64 = 50

  public init() {}
}
