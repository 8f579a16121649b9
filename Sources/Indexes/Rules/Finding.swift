public import Primitives

/// Why a verdict is what it is, or why it is not what it looks like.
public struct Reason: Sendable, Equatable {
  /// Stable snake_case name, safe to match in scripts.
  public let code: String
  public let sentence: String

  public init(_ code: String, _ sentence: String) {
    self.code = code
    self.sentence = sentence
  }
}

/// One thing that an audit says about an index or a table.
public struct Finding: Sendable, Equatable {
  /// What it looks like.
  public enum Kind: String, Sendable, CaseIterable {
    case unused
    case redundant
    case duplicate
    case missingForeignKeyIndex = "missing_fk_index"
    case invalid
    case bloated
    case lowSelectivity = "low_selectivity"
    case missing
    case staleStatistics = "stale_statistics"
    case overIndexed = "over_indexed"
  }

  /// What to do about it.
  public enum Verdict: String, Sendable, CaseIterable {
    case drop
    case rebuild
    case create
    case analyze
    /// A person has to look: something is not known, or a matter of judgement.
    case review
    /// Nothing: it only looks as if.
    case keep
  }

  /// Sixteen hexadecimal digits made of kind and names, never of numbers: the same on every run.
  public let id: String
  public let kind: Kind
  public let table: RelationName
  /// Nil where the finding is about the table, or about an index that does not exist.
  public let index: String?
  public var verdict: Verdict
  public var reasons: [Reason]
  /// The numbers, as a JSON object.
  public let evidence: JSON
  /// What it is about: the index with all that are attached to it, or the table.
  public let sizeBytes: Int64
  /// What carries the verdict out; nil where a person has to find it.
  public var ddl: String?
  /// What takes `ddl` back.
  public var undoDDL: String?

  /// - Parameter identity: what tells it from others of the same kind and table: an index's name, columns.
  init(
    _ kind: Kind, table: RelationName, index: String? = nil, identity: [String], verdict: Verdict,
    reasons: [Reason], evidence: JSON, sizeBytes: Int64, ddl: String? = nil, undoDDL: String? = nil
  ) {
    id = Self.id(kind, table, identity)
    self.kind = kind
    self.table = table
    self.index = index
    self.verdict = verdict
    self.reasons = reasons
    self.evidence = evidence
    self.sizeBytes = sizeBytes
    self.ddl = ddl
    self.undoDDL = undoDDL
  }

  /// No name holds a NUL, so that it can stand between two.
  private static func id(_ kind: Kind, _ table: RelationName, _ identity: [String]) -> String {
    let text = ([kind.rawValue, table.schema, table.name] + identity).joined(separator: "\0")
    return String(SHA256.digest(of: text.utf8).hexadecimal.prefix(16))
  }
}
