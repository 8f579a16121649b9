public import Primitives

/// What the server has counted of one normalised statement: a row of `pg_stat_statements`, summed over the roles that
/// sent it.
public struct StatementStatistics: Sendable, Equatable {
  /// What to sort by, largest first.
  public enum Order: String, Sendable, CaseIterable {
    /// By the time of all calls together.
    case total
    /// By the time of a call.
    case mean
    case calls
    /// By the time spent on reading and writing blocks, which the server measures with `track_io_timing` only; among
    /// equals by the blocks that were read and written.
    case io
  }

  /// `queryid`: the same as long as the tables are not made anew, and not across major versions.
  public let id: Int64
  /// The text with `$1` where constants stood. One that the server has lost is a comment that says so.
  public let text: String
  /// The roles that sent it, in order.
  public let users: [String]
  public let calls: Int64
  /// Milliseconds of execution, planning not included.
  public let totalMilliseconds: Double
  public let meanMilliseconds: Double
  public let maxMilliseconds: Double
  public let deviationMilliseconds: Double
  /// Rows returned or changed by all calls.
  public let rows: Int64
  public let blocks: Blocks
  /// Milliseconds spent on reading blocks; zero without `track_io_timing`.
  public let readMilliseconds: Double
  /// Milliseconds spent on writing blocks; zero without `track_io_timing`.
  public let writeMilliseconds: Double
  public let walBytes: Int64
  /// `search_path` of the role that spent most time on it, by the settings of role and database; nil where the role is gone. What
  /// a program sets in its connections the server does not tell.
  public let searchPath: String?

  /// Blocks (of 8 KiB, unless the server was built otherwise) over all calls. "Shared" are those of tables and indexes.
  public struct Blocks: Sendable, Equatable {
    public let sharedHit: Int64
    public let sharedRead: Int64
    public let sharedDirtied: Int64
    public let sharedWritten: Int64
    /// Sorts and hashes that did not fit into `work_mem`.
    public let tempRead: Int64
    public let tempWritten: Int64
  }

  /// The share of blocks that were found in `shared_buffers`; nil where none was asked for.
  public var hitRate: Double? {
    let all = Double(blocks.sharedHit) + Double(blocks.sharedRead)
    return all > 0 ? Double(blocks.sharedHit) / all : nil
  }
}

/// What `pg_stat_statements` says of a database.
public struct StatementReport: Sendable {
  /// The statements that were asked for, in the order that was asked for.
  public let statements: [StatementStatistics]
  /// How many there are in all.
  public let statementCount: Int64
  /// Milliseconds of execution of all of them, whatever the limit.
  public let totalMilliseconds: Double
  /// When counting began; nil where nobody knows (before PostgreSQL 14).
  public let since: Timestamp?
  /// How often the server threw the rarest statements away for want of room; nil before PostgreSQL 14.
  public let evictions: Int64?
  /// `track_io_timing`: whether the time of reading and writing is measured.
  public let isInputOutputTimed: Bool

  /// The share of one statement in the time of all; 0 where there is none.
  public func share(of statement: StatementStatistics) -> Double {
    totalMilliseconds > 0 ? statement.totalMilliseconds / totalMilliseconds : 0
  }
}

/// Why the server tells nothing of the statements that it runs.
public enum StatementStatisticsError: Failure, Equatable {
  /// The database has no extension `pg_stat_statements`.
  case missing(isLoaded: Bool)
  /// The extension is there, and the server has not loaded its library at the start.
  case notLoaded
  /// The extension is of a version that PostgreSQL 13 does not come with any more.
  case outdated(version: String)
  /// The role sees its own statements only.
  case hidden(role: String)

  public var code: String {
    switch self {
    case .missing: "statement_statistics_missing"
    case .notLoaded: "statement_statistics_not_loaded"
    case .outdated: "statement_statistics_outdated"
    case .hidden: "insufficient_privilege"
    }
  }

  public var message: String {
    switch self {
    case .missing: "this database has no extension pg_stat_statements"
    case .notLoaded: "the server has not loaded pg_stat_statements, and counts no statements"
    case .outdated(let version): "the extension pg_stat_statements is of version \(version), before 1.8"
    case .hidden(let role): "the role \(role) may not see the statements of other roles"
    }
  }

  public var hint: String? {
    switch self {
    case .missing(isLoaded: true): "create extension pg_stat_statements;"
    case .missing(isLoaded: false), .notLoaded:
      "add pg_stat_statements to shared_preload_libraries, restart the server, then: create extension if not exists"
        + " pg_stat_statements;"
    case .outdated: "alter extension pg_stat_statements update;"
    case .hidden: "grant pg_read_all_stats (or pg_monitor) to it"
    }
  }

  public var kind: FailureKind {
    switch self {
    case .missing, .notLoaded, .outdated: .configuration
    case .hidden: .privilege
    }
  }
}
