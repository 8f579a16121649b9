/// How large a btree will be when it is built, from the statistics of its columns.
///
/// HypoPG 1.3.1 counts one entry a row, which is three times too much where keys repeat: since version 13 PostgreSQL
/// keeps equal keys once, with a list of their rows (`nbtsort.c`, `nbtdedup.c`; manual, "Deduplication").
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
    let expressions = candidate.keys.compactMap { Self.width(of: $0.term, table) }
    let data = Self.data(columns) + expressions.reduce(0, +)
    let key = entry(data, columns, expressions)
    let leaf: Double
    if included.isEmpty, expressions.isEmpty, columns.allSatisfy(\.canBeDeduplicated) {
      let distinct = max(1, min(rows, columns.reduce(1) { $0 * ($1.distinct ?? rows) }))
      let repeated = max(1, rows / distinct)
      let lists = (repeated * 6 / max(1, postingBytes - key)).rounded(.up)
      leaf = repeated < 2 ? rows * (key + 4) : distinct * (repeated * 6 + lists * (key + 4))
    } else {
      let all = columns + included
      leaf = rows * (entry(Self.data(all) + expressions.reduce(0, +), all, expressions) + 4)
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

  /// Values one after the other, each at a multiple of its alignment. The mean width of values that differ was cut to
  /// a whole number.
  private static func data(_ columns: [SchemaColumn]) -> Double {
    columns.reduce(0) { offset, column in
      let alignment = max(1, column.alignment)
      let start = (offset / alignment).rounded(.up) * alignment
      return start + (1 - column.nullFraction) * (column.width + (column.hasVariableWidth ? 0.5 : 0))
    }
  }

  /// An expression is taken for a value as wide as the columns that it names, never the same twice; nil for a column.
  private static func width(of term: KeyTerm, _ table: SchemaTable) -> Double? {
    guard case .expression(let sql) = term else { return nil }
    let words = Set(sql.split { !($0.isLetter || $0.isNumber || "_$\"".contains($0)) }.map(String.init))
    let named = table.columns.filter { words.contains($0.quoted) || sql.contains("\"\($0.name)\"") }
    return named.isEmpty ? 16 : data(named)
  }

  /// An entry with its header, a multiple of eight bytes: the one above the mean, if all are about as long; where
  /// entries differ much, half of eight above the mean on average. Where widths vary nobody knows how much, and it is
  /// taken for the middle of the two.
  private static func entry(_ data: Double, _ columns: [SchemaColumn], _ expressions: [Double]) -> Double {
    let alike = aligned(8 + data)
    guard columns.contains(where: \.hasVariableWidth) || !expressions.isEmpty else { return alike }
    let mixed = 8 + data + 3.5
    return max(mixed, (alike + mixed) / 2)
  }

  private static func aligned(_ bytes: Double) -> Double { (bytes / 8).rounded(.up) * 8 }
}
