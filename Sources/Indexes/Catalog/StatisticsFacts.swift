public import Primitives

/// Where the usage counters come from, and how far they can be believed.
public struct StatisticsFacts: Sendable {
  public var database = ""
  /// As `server_version` prints it.
  public var serverVersion = ""
  public var now: Timestamp
  /// Since when the database's counters have been counting: their last reset, or the last crash of the server, or its
  /// first start.
  public var since: Timestamp?
  /// Whether the server is a standby, whose counters are its own.
  public var isStandby = false
  /// `track_counts`; without it nothing is counted.
  public var isCounting = true
  /// `track_commit_timestamp`; without it nobody knows when an index was made.
  public var knowsCommitTimes = false
  /// Whether the role may see what other roles' sessions do.
  public var seesAllStatistics = true
  /// `default_statistics_target`: how finely ANALYZE looks at a column or an expression that has no target of its own.
  public var statisticsTarget: Int32 = 100
  /// Physical standbys that stream from this server now, by application name.
  public var standbys: [String] = []
  /// Tables whose columns' statistics the role may not see.
  public var tablesHidden: Int64 = 0
  /// Tables left out because somebody holds them, or waits for them, exclusively.
  public var tablesLocked: [String] = []
  /// All schemas of the database, those without a table that can be audited too.
  public var schemas: Set<ExactText> = []
}
