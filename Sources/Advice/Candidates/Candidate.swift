internal import Indexes

/// A key of an index that is not there yet.
public struct CandidateKey: Hashable, Sendable {
  public let term: KeyTerm
  public var isDescending = false
  public var nullsFirst: Bool?
  /// Whether text is to be found by its beginning, whatever its collation.
  public var isPattern = false

  public init(_ term: KeyTerm, isDescending: Bool = false, nullsFirst: Bool? = nil, isPattern: Bool = false) {
    self.term = term
    self.isDescending = isDescending
    self.nullsFirst = nullsFirst
    self.isPattern = isPattern
  }
}

/// An index that might be of use: a btree.
public struct Candidate: Hashable, Sendable {
  public let table: UInt32
  public var keys: [CandidateKey]
  /// Column numbers of INCLUDE, rising.
  public var included: [Int16] = []
  /// The WHERE clause of a partial index.
  public var predicate: ConstantCondition?

  public init(table: UInt32, keys: [CandidateKey]) {
    self.table = table
    self.keys = keys
  }

  /// The statement that makes it, without a name: PostgreSQL gives one that is free. A partitioned table takes no
  /// CONCURRENTLY; see `NewIndexRecipe`.
  public func ddl(_ schema: Schema, concurrently: Bool) -> String {
    guard let table = schema.relations[table] else { return "" }
    let start = concurrently && !table.isPartitioned ? "CREATE INDEX CONCURRENTLY" : "CREATE INDEX"
    return "\(start) ON \(table.name.quoted) \(body(schema))"
  }

  /// What stands behind the table's name.
  func body(_ schema: Schema) -> String {
    guard let table = schema.relations[table] else { return "" }
    let keys = keys.map { key in
      var text: String
      switch key.term {
      case .column(let number):
        let column = table.column(number)
        text = column?.quoted ?? ""
        if key.isPattern, let name = column?.patternClass { text += " \(name)" }
      case .expression(let sql):
        text = "(\(sql))"
        if key.isPattern { text += " text_pattern_ops" }
      }
      if key.isDescending { text += " DESC" }
      if let nullsFirst = key.nullsFirst { text += nullsFirst ? " NULLS FIRST" : " NULLS LAST" }
      return text
    }
    let included = included.compactMap { table.column($0)?.quoted }
    return "(\(keys.joined(separator: ", ")))"
      + (included.isEmpty ? "" : " INCLUDE (\(included.joined(separator: ", ")))")
      + (predicate.map { " WHERE \($0.sql)" } ?? "")
  }

  /// Whether it stands on columns alone, and has all rows.
  var isPlain: Bool { predicate == nil && keyColumns.count == keys.count }

  /// Whether its keys are those that the other begins with, in any direction.
  func begins(_ other: Candidate) -> Bool {
    keys.count <= other.keys.count
      && zip(keys, other.keys).allSatisfy { $0.term == $1.term && $0.isPattern == $1.isPattern }
  }

  /// Columns among the keys.
  var keyColumns: [Int16] {
    keys.compactMap { if case .column(let number) = $0.term { number } else { nil } }
  }

  /// Whether another does all that this one does, by what can be seen without a catalog.
  func isServed(by other: Candidate) -> Bool {
    guard table == other.table, predicate == other.predicate, other.keys.count >= keys.count else {
      return false
    }
    let prefix = Array(other.keys.prefix(keys.count))
    return (prefix == keys || prefix == keys.map(\.mirrored))
      && Set(included).isSubset(of: Set(other.included).union(other.keyColumns))
  }
}

extension CandidateKey {
  /// As a scan backwards reads it.
  var mirrored: CandidateKey {
    var key = self
    key.isDescending.toggle()
    key.nullsFirst = nullsFirst.map { !$0 }
    return key
  }
}
