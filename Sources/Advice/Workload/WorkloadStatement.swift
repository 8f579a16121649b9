/// One statement of a workload.
public struct WorkloadStatement: Sendable {
  /// Its place in a file from 1, or its `queryid`.
  public let id: String
  public var text: String
  /// The same with other constants, each with its share of the calls; `text` has the rest.
  public var variants: [(text: String, share: Double)] = []
  /// How often it runs.
  public var calls: Int64 = 1
  /// How long all calls took together, where somebody has measured.
  public var milliseconds: Double?
  /// Rows that all calls returned or changed, where somebody has counted.
  public var rows: Int64?
  /// Where it begins in its file, from 1.
  public var line: Int?
  /// `search_path` of the role that sends it; nil for that of the session.
  public var searchPath: String?

  public init(id: String, text: String) {
    self.id = id
    self.text = text
  }
}

/// A statement that no advice takes into account, and why.
public struct UnexplainedStatement: Sendable, Equatable {
  public let id: String
  public let query: String
  public let reason: String
}
