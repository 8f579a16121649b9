/// How large a btree will be when it is built, from the statistics of its columns.
///
/// HypoPG 1.3.1 counts one entry a row, which is three times too much where keys repeat: since version 13 PostgreSQL keeps equal
/// keys once, with a list of their rows (`nbtsort.c`, `nbtdedup.c`; manual, "Deduplication").
public struct IndexSize {
  private static let pageSize = 8192.0
  /// Page header and the btree's own words at its end.
  private static let usable = pageSize - 24 - 16
  /// A leaf page is filled so far when it is built.
  private static let fill = 0.9
  /// A list of rows is cut at a tenth of a page (`_bt_load`).
  private static let postingBytes = 812.0

  /// Bytes.
  public static func bytes(_ candidate: Candidate, in table: SchemaTable) -> Int64 {
    let rows = max(0, table.rows * share(candidate.predicate, table))
    let columns = candidate.keyColumns.compactMap(table.column)
    let included = candidate.included.compactMap(table.column)
    // An expression is taken for a value of 16 bytes that is never the same twice.
    let expressions = candidate.keys.count - columns.count
    let data = Self.data(columns) + 16 * Double(expressions)
    let key = entry(data, columns)
    let leaf: Double
    if included.isEmpty, expressions == 0, columns.allSatisfy(\.canBeDeduplicated) {
      let distinct = max(1, min(rows, columns.reduce(1) { $0 * ($1.distinct ?? rows) }))
      let repeated = max(1, rows / distinct)
      let lists = (repeated * 6 / max(1, postingBytes - key)).rounded(.up)
      leaf = repeated < 2 ? rows * (key + 4) : distinct * (repeated * 6 + lists * (key + 4))
    } else {
      let all = columns + included
      leaf = rows * (entry(Self.data(all) + 16 * Double(expressions), all) + 4)
    }
    let leafPages = (leaf / (usable * fill)).rounded(.up)
    let innerPages = (leafPages * (key + 4) / (usable * 0.7)).rounded(.up)
    let pages = 1 + leafPages + innerPages
    return Int64(exactly: min(pages * pageSize, 1e18).rounded()) ?? .max
  }

  /// The share of the rows that a partial index holds.
  static func share(_ predicate: ConstantCondition?, _ table: SchemaTable) -> Double {
    guard let predicate, let column = table.column(predicate.column) else { return 1 }
    if let isNull = predicate.isNull { return isNull ? column.nullFraction : 1 - column.nullFraction }
    guard let value = predicate.value else { return 1 }
    if let known = column.common.first(where: { $0.value == value }) { return known.share }
    // As the planner does it: what is left, spread over the values that are not common.
    let rest = max(0, 1 - column.nullFraction - column.common.reduce(0) { $0 + $1.share })
    let others = max(1, (column.distinct ?? 10) - Double(column.common.count))
    return rest / others
  }

  /// Values one after the other, each at a multiple of its alignment. The mean width of values that differ was cut to a whole number.
  private static func data(_ columns: [SchemaColumn]) -> Double {
    columns.reduce(0) { offset, column in
      let alignment = max(1, column.alignment)
      let start = (offset / alignment).rounded(.up) * alignment
      return start + (1 - column.nullFraction) * (column.width + (column.hasVariableWidth ? 0.5 : 0))
    }
  }

  /// An entry with its header, a multiple of eight bytes: the next one, or where entries differ, on average half of eight above, and not
  /// the multiple that is next to the mean.
  private static func entry(_ data: Double, _ columns: [SchemaColumn]) -> Double {
    columns.contains(where: \.hasVariableWidth) ? 8 + data + 3.5 : aligned(8 + data)
  }

  private static func aligned(_ bytes: Double) -> Double { (bytes / 8).rounded(.up) * 8 }
}
