public import Indexes

/// An index that is worth having.
public struct AdvisedIndex: Sendable {
  /// Ready to be run, with a semicolon: one statement, or for a partitioned table several, a line each.
  public let ddl: String
  public let table: RelationName
  /// The keys, as SQL.
  public let columns: [String]
  /// The columns of INCLUDE, as SQL.
  public let included: [String]
  /// The WHERE clause of a partial index.
  public let predicate: String?
  /// What it will take when it is built, estimated.
  public let sizeBytes: Int64
  /// In the planner's units: what all statements together would cost more without it, by their calls.
  public let costSaved: Double
  /// The statements that use it, by their ids.
  public let queries: [String]
  /// Why, for people.
  public let reason: String
}

/// A statement before and after.
public struct AdvisedQuery: Sendable {
  public let id: String
  public let text: String
  public let calls: Int64
  /// What all calls took, where that is known.
  public let milliseconds: Double?
  public let line: Int?
  /// In the planner's units, of one call.
  public let costBefore: Double
  public let costAfter: Double
}

/// What `index advise` has to say.
public struct Advice: Sendable {
  /// In the order in which they bring most.
  public let indexes: [AdvisedIndex]
  public let queries: [AdvisedQuery]
  public let unexplained: [UnexplainedStatement]
  /// How many plans were asked for.
  public let plans: Int
  /// Whether the time for the search ran out before it was done.
  public let isCutShort: Bool

  /// The geometric mean of cost after by cost before; 1 without statements.
  public var meanRatio: Double {
    guard !queries.isEmpty else { return 1 }
    let sum = queries.reduce(0) { $0 + logarithm($1.costAfter / $1.costBefore) }
    return exponential(sum / Double(queries.count))
  }
}
