public import Indexes
public import Primitives

/// What somebody wants to have pruned.
public struct PruneRequest: Sendable {
  /// Kinds of findings for which an index can be dropped with proof.
  public static let kindsKnown: [Finding.Kind] = [.unused, .redundant, .duplicate]

  /// Among `kindsKnown`.
  public var kinds = Set(kindsKnown)
  public var tables = TableSelection()
  /// Drop also what makes a known statement dearer.
  public var acceptsWorse = false
  /// Drop unused indexes also where no statement could be planned without them.
  public var acceptsUnproven = false
  /// Findings that somebody has accepted: their indexes stay.
  public var baseline: Baseline?

  public init() {}

  /// Whether the baseline accepts anything that speaks for dropping the index.
  func accepts(_ candidate: PruneCandidate, at now: Timestamp) -> Bool {
    guard let baseline else { return false }
    return candidate.allFindings.contains { baseline.acceptance(of: $0, at: now) != nil }
  }
}

/// An index that an audit wants to have dropped.
public struct PruneCandidate: Sendable {
  public let index: Index
  public let table: RelationName
  /// The role that owns the table and the index.
  public let owner: String
  /// Whether the role that made the plan has the owner's rights. Without them it can make no index again, and drop one at most as
  /// the schema's owner.
  public let isOwned: Bool
  /// Why; those on redundancy first, since they prove it by algebra.
  public let findings: [Finding]
  /// Those of kinds that were not asked for, too.
  let allFindings: [Finding]
  public let restoration: IndexRestoration
  /// The index with all that are attached to it.
  public let tree: [UInt32]
  /// Names of the tables that it and those are on, as plans call them.
  public let relations: Set<String>
  /// The index that does its work, for a redundant one.
  public let survivor: String?
  /// What drops it and what takes that back.
  public let ddl: String
  public let undoDDL: String
  public let sizeBytes: Int64

  public var kind: Finding.Kind { findings[0].kind }
  /// Whether another index provably does all that it does.
  public var isCovered: Bool { kind != .unused }
}

extension PruneCandidate {
  /// The indexes that the report wants to drop, the largest first.
  ///
  /// - Parameter tables: names of the tables that are asked about.
  public static func all(
    in report: IndexAuditReport, _ catalog: Catalog, kinds: Set<Finding.Kind>, tables: Set<RelationName>
  ) -> [PruneCandidate] {
    let wanted = Set(PruneRequest.kindsKnown)
    // Two findings may be about one index; an index has the schema of its table.
    var findings: [[ExactText]: [Finding]] = [:]
    for finding in report.findings
    where finding.verdict == .drop && wanted.contains(finding.kind) && tables.contains(finding.table) {
      guard let index = finding.index else { continue }
      findings[[ExactText(finding.table.schema), ExactText(index)], default: []].append(finding)
    }
    return catalog.sortedIndexes.compactMap { index in
      findings[[ExactText(index.name.schema), ExactText(index.name.name)]]
        .flatMap { PruneCandidate(index, $0, kinds, catalog) }
    }.sorted { $0.sizeBytes > $1.sizeBytes }
  }

  private init?(_ index: Index, _ all: [Finding], _ kinds: Set<Finding.Kind>, _ catalog: Catalog) {
    let found = all.filter { kinds.contains($0.kind) }
    let findings = found.filter { $0.kind != .unused } + found.filter { $0.kind == .unused }
    guard let first = findings.first, let ddl = first.ddl, let undo = first.undoDDL else { return nil }
    self.index = index
    self.findings = findings
    allFindings = all
    self.ddl = ddl
    undoDDL = undo
    table = catalog.tableName(index)
    let tree = catalog.tree(of: index)
    // Partitions may have other owners than what they are partitions of.
    let tables = tree.compactMap { catalog.tables[$0.table] }
    let foreign = tables.first { !$0.isOwned }
    owner = (foreign ?? tables.first)?.owner ?? ""
    isOwned = foreign == nil
    restoration = catalog.restoration(of: index)
    self.tree = tree.map(\.oid)
    relations = Set(tree.map { catalog.tableName($0).name })
    survivor = first.evidence["survivor"].text
    sizeBytes = first.sizeBytes
  }
}

/// A statement that would cost more without an index.
public struct WorseStatement: Sendable, Equatable {
  /// `queryid` of pg_stat_statements.
  public let id: String
  public let text: String
  public let calls: Int64
  /// In the planner's units.
  public let costBefore: Double
  public let costAfter: Double
}

/// A statement that could not be planned.
public struct UnexplainedStatement: Sendable {
  /// `queryid` of pg_stat_statements.
  public let id: String
  public let reason: String
  /// Whether no server has plans of its kind, such as COMMIT.
  public let hasNoPlan: Bool
}

/// What planning the known statements without an index has shown.
public struct WhatIfProof: Sendable, Equatable {
  /// Code of the gap that a statement leaves which names the table and has no plan.
  static let statementUnexplained = "statement_unexplained"

  /// Nil where nothing was planned.
  public var method: WhatIfMethod?
  /// Why what was planned does not prove that nobody needs the index.
  public var gap: Reason?
  /// Statements on its table that were planned with it and without.
  public var statementsPlanned = 0
  public var worse: [WorseStatement] = []
}

/// Why an index of the plan stays all the same.
public enum HoldBack: String, Sendable {
  /// The role may not drop it, or could not make it again: it does not have the owner's rights.
  case notOwner = "not_owner"
  /// A known statement gets dearer.
  case worse
  /// Nothing but counters says that nobody needs it, or a statement that may need it could not be planned.
  case unproven
  /// PostgreSQL cannot drop it while others read and write its tables.
  case notConcurrent = "not_concurrent"
}

/// One index of a plan.
public struct PruneItem: Sendable {
  /// Where it comes from.
  public enum Origin: Sendable {
    case candidate(PruneCandidate)
    /// An earlier run began to drop it, and its undo file tells of it.
    case unfinished(UndoFile.Entry)
  }
  public let origin: Origin
  public let restoration: IndexRestoration
  public let oid: UInt32
  public let ddl: String
  public let undoDDL: String
  public let sizeBytes: Int64
  /// The role that owns the index.
  public let owner: String
  public var proof = WhatIfProof()
  public var heldBack: HoldBack?

  init(_ candidate: PruneCandidate) {
    origin = .candidate(candidate)
    restoration = candidate.restoration
    oid = candidate.index.oid
    ddl = candidate.ddl
    undoDDL = candidate.undoDDL
    sizeBytes = candidate.sizeBytes
    owner = candidate.owner
  }

  /// - Parameter table: that of the index; nil where the catalog does not have it.
  init(unfinished index: Index, _ entry: UndoFile.Entry, on table: Table?) {
    origin = .unfinished(entry)
    restoration = entry.restoration
    oid = index.oid
    ddl = "DROP INDEX CONCURRENTLY \(restoration.index.quoted);"
    undoDDL = restoration.statements.joined(separator: "\n")
    sizeBytes = index.sizeBytes
    owner = table?.owner ?? ""
    heldBack = table?.isOwned == false ? .notOwner : nil
  }

  public var candidate: PruneCandidate? {
    if case .candidate(let candidate) = origin { candidate } else { nil }
  }

  /// What is to stand in the undo file before it is dropped.
  ///
  /// - Parameter now: when a whole index is noted.
  public func entry(at now: Timestamp) -> UndoFile.Entry {
    switch origin {
    case .candidate(let candidate):
      UndoFile.Entry(restoration, kind: candidate.kind.rawValue, notedAt: now.description)
    case .unfinished(let entry): entry
    }
  }
}

/// What would be dropped, and what stays and why.
public struct PrunePlan: Sendable {
  public var items: [PruneItem] = []
  /// Findings of the kinds asked for that an audit wants somebody to review first.
  public var reviewCount = 0
  /// Indexes that an audit would drop, and whose findings the baseline accepts.
  public var acceptedCount = 0
  /// Why usage statistics prove nothing, where they do not.
  public var doubts: [Reason] = []
  public var facts: ServerFacts
  /// How many of the server's statements were planned, and those that could not be, with the reason.
  public var statementsPlanned = 0
  public var unexplained: [UnexplainedStatement] = []
  /// Of the catalog that it was made of.
  public var catalogFacts: StatisticsFacts?

  public var dropped: [PruneItem] { items.filter { $0.heldBack == nil } }
}
