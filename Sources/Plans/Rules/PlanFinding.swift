public import Primitives

/// Something that makes a statement slow, and what to do next.
public struct PlanFinding: Sendable {
  public enum Code: String, Sendable, CaseIterable {
    case staleStatistics = "stale_statistics"
    case estimateWrong = "estimate_wrong"
    case scanDiscards = "scan_discards"
    case joinDiscards = "join_discards"
    case seqScan = "seq_scan"
    case nestedLoop = "nested_loop"
    case subplanPerRow = "subplan_per_row"
    case sortSpills = "sort_spills"
    case hashSpills = "hash_spills"
    case lossyBitmap = "lossy_bitmap"
    case heapFetches = "heap_fetches"
    case triggerSlow = "trigger_slow"
    case jitSlow = "jit_slow"
    case planningSlow = "planning_slow"
    case workersMissing = "workers_missing"
    case readsFromDisk = "reads_from_disk"
  }

  public var code: Code
  /// The node's place in `PlanAnalysis.entries`; nil for the statement as a whole.
  public var entry: Int?
  /// The node as the plan names it, or the trigger, or the statement.
  public var node: String
  public var message: String
  public var nextStep: String
  /// False where another finding is the reason for this one.
  public var isRootCause = true
  /// The milliseconds, or without times the cost, that it is about.
  public var weight: Double
  /// The index that may help, still to be worked out and checked.
  public var wish: IndexWish?
  /// Whether it is worth a word only where an index helps: to read a table whole is right otherwise.
  public var needsIndex = false
  /// The place of the finding's cause in the plan, where that is a scan for want of an index: where no index helps, it is none.
  public var scanBehind: Int?
  /// The columns whose statistics may mend an estimate, still to be worked out.
  public var statistics: StatisticsWish?

  public init(
    _ code: Code, entry: Int? = nil, node: String, message: String, nextStep: String, weight: Double,
    wish: IndexWish? = nil
  ) {
    self.code = code
    self.entry = entry
    self.node = node
    self.message = message
    self.nextStep = nextStep
    self.weight = weight
    self.wish = wish
  }

  /// As SPEC section 9 has it.
  public var json: JSON {
    [
      "code": .string(code.rawValue), "node": .string(node),
      "node_id": entry.map { .integer(Int64($0)) } ?? .null,
      "message": .string(message), "next_step": .string(nextStep), "root_cause": .bool(isRootCause),
    ]
  }
}

/// A table that is searched without an index that fits: the conditions, as the plan prints them.
public struct IndexWish: Sendable, Equatable {
  public var schema: String?
  public var relation: String
  public var alias: String?
  /// More tables that are asked the same; partitions, most of the time.
  public var others: [Table] = []
  /// SQL expressions, all of which hold for the rows that are wanted.
  public var conditions: [String]
  /// What the index in use finds already; an index of these alone would serve no better.
  public var indexed: [String]
  /// What the rows are sorted by afterwards, as SQL; empty for nothing.
  public var order: String

  public struct Table: Hashable, Sendable {
    public var schema: String?
    public var name: String

    public init(schema: String?, name: String) {
      self.schema = schema
      self.name = name
    }
  }

  /// All of them.
  public var tables: [Table] { [Table(schema: schema, name: relation)] + others }

  public init(
    schema: String? = nil, relation: String, alias: String?, conditions: [String], indexed: [String] = [],
    order: String = ""
  ) {
    self.schema = schema
    self.relation = relation
    self.alias = alias
    self.conditions = conditions
    self.indexed = indexed
    self.order = order
  }
}

/// A table whose rows are estimated wrongly: the conditions or groups, as the plan prints them.
public struct StatisticsWish: Sendable, Equatable {
  public var schema: String?
  public var relation: String
  public var alias: String?
  /// SQL expressions, all of which hold.
  public var conditions: [String]
  /// What the rows are grouped by, as a list in SQL; empty for nothing.
  public var groups: String

  public init(schema: String?, relation: String, alias: String?, conditions: [String], groups: String) {
    self.schema = schema
    self.relation = relation
    self.alias = alias
    self.conditions = conditions
    self.groups = groups
  }
}

/// From where on something is worth a word.
public struct PlanThresholds: Sendable {
  /// Milliseconds; a statement under it is as fast as it needs to be.
  public var statementTime = 1.0
  /// Times too many or too few rows, anywhere (dataxplan).
  public var estimateFar = 100.0
  /// The same on a node of `nodeShare` of the time.
  public var estimateNear = 10.0
  public var nodeShare = 0.1
  /// Rows, estimated or actual, under which no error matters.
  public var estimateRows = 100.0
  /// A sequential scan's part of the time, and its milliseconds (dataxplan).
  public var seqScanShare = 0.3
  public var seqScanTime = 50.0
  /// Rows discarded for one kept (dataxplan).
  public var discardRatio = 10.0
  public var discardRows = 1000.0
  /// Runs of a nested loop's inner side (dataxplan), and its part of the time.
  public var innerLoops = 1000.0
  public var innerShare = 0.3
  /// Rows of an index-only scan that needed the table (dataxplan).
  public var heapFetchShare = 0.1
  public var heapFetches = 1000.0
  /// JIT's part of the time (dataxplan).
  public var jitShare = 0.25
  public var triggerShare = 0.1
  /// Milliseconds of planning, where it takes longer than the execution.
  public var planningTime = 10.0
  public var readShare = 0.5

  public init() {}
}
