public import Plans
internal import Primitives
internal import SQLSyntax

/// Indexes that may serve the conditions of a scan, as a plan prints them: keys compared for equality first, then one of a range, or
/// those of the order. A key is a column or an expression.
public struct IndexCandidates: Sendable {
  /// What stands behind the table's name in CREATE INDEX, from the brackets on; the most likely first, at most six. Where there are
  /// several in one they serve the sides of an OR, and help together only.
  public let options: [[String]]

  /// Most keys of a candidate.
  private static let keysMax = 3
  private static let optionsMax = 6

  /// What an index on plain columns wants written otherwise, as SQL; empty where the conditions are read as they stand.
  let rewritten: [String]
  private let searches: [ConditionColumns.Search]

  public init(_ wish: IndexWish) { self.init(wish, types: [:], bare: false) }

  /// - Parameters:
  ///   - types: the columns' types, by their names in SQL.
  ///   - bare: whether what is compared with something made of a column is taken for a comparison of the column itself.
  init(_ wish: IndexWish, types: [String: String], bare: Bool) {
    var found = ConditionColumns(wish, types: types, bare: bare)
    for condition in wish.conditions.prefix(8) { found.read(condition) }
    rewritten = found.rewritten
    searches = found.searches
    var known = ConditionColumns(wish, types: types)
    for condition in wish.indexed.prefix(8) { known.read(condition) }
    let added = found.equal + found.range
    let inUse = known.equal.filter { !added.contains($0) }
    let order = Self.order(wish)
    var lists: [[String]] = []
    // The columns that an index finds already come behind: an index of them, or led by them alone, is there.
    let equal = Array((found.equal + inUse).prefix(Self.keysMax))
    func add(_ keys: [String]) {
      guard keys.count <= Self.keysMax, keys.contains(where: { !inUse.contains($0) }), !lists.contains(keys)
      else { return }
      lists.append(keys)
    }
    if !order.isEmpty { add(equal + order) }
    if !found.row.isEmpty { add(Array((equal + found.row).prefix(Self.keysMax))) }
    if let range = found.range.first { add(equal + [range]) }
    add(equal)
    if !equal.isEmpty { equal.forEach { add([$0]) } }
    found.range.forEach { add([$0]) }
    var options = lists.map { [Self.body($0)] }
    if !found.alternatives.isEmpty {
      let sides = found.alternatives.map { Self.body(Array($0.prefix(Self.keysMax))) }
      options.insert(
        sides.enumerated().filter { !sides[..<$0.offset].contains($0.element) }.map(\.element), at: 0)
    }
    self.options = Array(options.prefix(Self.optionsMax))
  }

  /// What to do where no btree serves the conditions, but an index of another kind does.
  func otherStep(_ tables: WishedTables) -> String? {
    searches.first.map { search in
      (search.instead.map { "Write \($0), which a GIN index finds: " } ?? "")
        + tables.ddl(["USING gin (\(search.key))"]) + "; -- not verified: HypoPG knows no GIN"
        + (search.key.hasSuffix(" gin_trgm_ops") ? "; it needs CREATE EXTENSION pg_trgm" : "")
    }
  }

  /// Whether a key of it is no column.
  static func hasExpression(_ body: String) -> Bool { body.dropFirst().contains("(") }

  private static func body(_ keys: [String]) -> String { "(\(keys.joined(separator: ", ")))" }

  /// Empty where a part of it is no key of the table.
  private static func order(_ wish: IndexWish) -> [String] {
    // EXPLAIN prints some conditions that are no SQL; no index is made of them.
    guard !wish.order.isEmpty, wish.order.utf8.count <= ConditionColumns.textMax,
      let statement = try? SQLSyntax.parse("select 1 from t order by \(wish.order)").first
    else {
      return []
    }
    let columns = ConditionColumns(wish)
    var keys: [String] = []
    for item in statement.tree["SelectStmt"]["sortClause"].elements {
      let sort = item["SortBy"]
      guard let key = columns.key(sort["node"]) else { return [] }
      let isDescending = sort["sortby_dir"].text == "SORTBY_DESC"
      let nulls = sort["sortby_nulls"].text ?? ""
      keys.append(
        key + (isDescending ? " DESC" : "")
          + (nulls == "SORTBY_NULLS_FIRST"
            ? " NULLS FIRST" : nulls == "SORTBY_NULLS_LAST" ? " NULLS LAST" : ""))
    }
    return keys
  }
}
