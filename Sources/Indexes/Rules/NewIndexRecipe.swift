/// How new indexes are built while others write. On a partitioned table PostgreSQL takes no CONCURRENTLY, and a plain CREATE INDEX
/// locks out all writers of all partitions until it is done. So one is made of the parent alone, which stays invalid; one of each
/// partition, concurrently; and these are attached, which makes the first one valid (PostgreSQL's manual, "Table Partitioning").
/// A partition that has such an index already brings that one.
///
/// Below a foreign table or one that is locked now nothing can be attached, and the parent's index would stay invalid. There it
/// is made last, of the whole: PostgreSQL then takes what it finds in the partitions, and builds only what is missing.
///
/// Names are those that the server would give, with a number where one is taken; of what one value has made none is taken twice.
public struct NewIndexRecipe {
  private let catalog: Catalog
  /// By schema. Tables and indexes share their names.
  private var taken: [String: Set<String>] = [:]
  /// Indexes of partitions that were there before and that the statements attach. They go with their parent.
  private(set) var adopted: [Index] = []

  public init(_ catalog: Catalog) {
    self.catalog = catalog
    for name in catalog.tables.values.map(\.name) + catalog.indexes.values.map(\.name) {
      taken[name.schema, default: []].insert(name.name)
    }
  }

  /// Each ends in a semicolon; they are run one after the other, outside of a transaction.
  ///
  /// - Parameters:
  ///   - columns: what the keys are called in the index's name.
  ///   - body: what stands behind the table's name, from the brackets on.
  /// - Returns: the statements, and the name of the index of `table`, qualified and quoted.
  public mutating func statements(
    on table: Table, columns: [String], body: String
  ) -> (lines: [String], name: String) {
    var lines: [String] = []
    let name = add(table, under: nil, columns, body, to: &lines)
    return (lines, name)
  }

  private mutating func add(
    _ table: Table, under parent: String?, _ columns: [String], _ body: String, to lines: inout [String]
  ) -> String {
    if parent != nil, let index = fitting(table, body) {
      adopted.append(index)
      attach(index.name.quoted, to: parent, &lines)
      return index.name.quoted
    }
    let name = Self.quoted(freeName(for: table.name, columns))
    let qualified = table.name.quotedSchema + name
    guard table.isPartitioned else {
      lines.append("CREATE INDEX CONCURRENTLY \(name) ON \(table.name.quoted) \(body);")
      attach(qualified, to: parent, &lines)
      return qualified
    }
    let partitions = catalog.partitions(of: table).filter { $0.parent == table.oid }
    let isWhole = partitions.count >= table.partitionCount
    let only = isWhole ? "ONLY " : ""
    var own = ["CREATE INDEX \(name) ON \(only)\(table.name.quoted) \(body);"]
    attach(qualified, to: parent, &own)
    if isWhole { lines += own }
    for partition in partitions {
      if !isWhole, let index = fitting(partition, body) {
        adopted.append(index)
        continue
      }
      _ = add(partition, under: isWhole ? qualified : nil, columns, body, to: &lines)
    }
    if !isWhole { lines += own }
    return qualified
  }

  private func attach(_ index: String, to parent: String?, _ lines: inout [String]) {
    if let parent { lines.append("ALTER INDEX \(parent) ATTACH PARTITION \(index);") }
  }

  /// An index of the table that could have been made by the same words, and is attached to none.
  private func fitting(_ table: Table, _ body: String) -> Index? {
    catalog.indexes(of: table.oid).first { index in
      index.parent == nil && index.isValid && !index.isUnique
        && index.definition.hasSuffix(" USING btree \(body)")
    }
  }

  private mutating func freeName(for table: RelationName, _ columns: [String]) -> String {
    let stem = ([table.name] + columns).joined(separator: "_")
    for number in 0..<10_000 {
      let name = Self.truncated(stem, end: number == 0 ? "_idx" : "_idx\(number)")
      if taken[table.schema, default: []].insert(name).inserted { return name }
    }
    // Nobody has ten thousand indexes of that name; should it be taken, the server says so.
    return Self.truncated(stem, end: "_idx")
  }

  /// By the rule of `quote_ident`, for a name that ends as ours do and is no key word for that.
  private static func quoted(_ name: String) -> String {
    let isPlain = name.utf8.enumerated().allSatisfy { place, byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "_"): true
      case UInt8(ascii: "0")...UInt8(ascii: "9"): place > 0
      default: false
      }
    }
    return isPlain ? name : IndexDDL.inQuotes(name)
  }

  /// Within the server's 63 bytes, cut at the end of a character.
  private static func truncated(_ stem: String, end: String) -> String {
    var stem = stem
    while stem.utf8.count > 63 - end.utf8.count { stem.removeLast() }
    return stem + end
  }
}
