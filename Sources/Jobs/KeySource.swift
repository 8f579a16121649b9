public import Postgres

/// What a job visits: the rows of a relation, in the order of a unique key of any type.
///
/// Keys travel as text, in the form in which the server prints them, and are cast back by the server: no type
/// needs to be known here. Pages are found by key, never by offset, so that a page costs the same wherever it
/// lies.
public struct KeySource: Sendable {
  /// A column of the key.
  public struct Column: Sendable {
    /// As the catalog has it.
    public let name: String
    /// Quoted where SQL needs it.
    public let quoted: String
    /// The type as `format_type` prints it, good for a cast.
    public let type: String
    /// The type of an array of it.
    public let arrayType: DataType

    public init(name: String, quoted: String, type: String, arrayType: DataType) {
      self.name = name
      self.quoted = quoted
      self.type = type
      self.arrayType = arrayType
    }
  }

  /// A table, quoted, or a query in parentheses: what stands behind FROM.
  public let relation: String
  /// The key, first column first. It is unique and never NULL.
  public let columns: [Column]
  /// SQL that is true for the rows to visit; nil for all.
  public let predicate: String?

  public init(relation: String, columns: [Column], predicate: String? = nil) {
    self.relation = relation
    self.columns = columns
    self.predicate = predicate
  }

  private var from: String { "from \(relation) as ironforge_source" }
  private var names: [String] { columns.map { "ironforge_source.\($0.quoted)" } }
  private var list: String { names.joined(separator: ", ") }
  private var row: String { columns.count == 1 ? list : "(\(list))" }
  private var text: String { "array[\(names.map { "\($0)::text" }.joined(separator: ", "))]" }
  // A predicate may end in a comment, hence the line break.
  private var filter: String { predicate.map { "and (\($0)\n)" } ?? "" }

  /// A key out of a parameter, with the columns' types.
  private func key(_ parameter: Int) -> String {
    let casts = columns.enumerated().map { "($\(parameter)::text[])[\($0.offset + 1)]::\($0.element.type)" }
    return casts.count == 1 ? casts[0] : "(\(casts.joined(separator: ", ")))"
  }

  /// The last key of all; no row where there is none.
  func lastKey() -> BoundStatement {
    let order = names.map { "\($0) desc" }.joined(separator: ", ")
    let sql = "select \(text) \(from) order by \(order) limit 1"
    return Statement(sql, columns: [.textArray])()
  }

  /// The first and the last key of each chunk of `size` rows, after `after`, up to `end`; each with its place
  /// on the page, counted from 1. Reads `limit` rows and returns two a chunk.
  func page(after: [String]?, end: [String], size: Int64, limit: Int64) -> BoundStatement {
    let sql = """
      with page as (
        select row_number() over (order by \(list)) as place, \(text) as key
        \(from)
        where \(row) <= \(key(2)) \(after == nil ? "and $1::text[] is null" : "and \(row) > \(key(1))") \(filter)
        order by \(list)
        limit $4
      )
      select place, key from page
      where (place - 1) % $3 = 0 or place % $3 = 0 or place = (select max(place) from page)
      order by place
      """
    let statement = Statement(
      sql, parameters: [.textArray, .textArray, .int8, .int8], columns: [.int8, .textArray])
    return statement(after, end, size, limit)
  }

  /// The keys of a chunk, each a row.
  public func keys(of chunk: Chunk) -> BoundStatement {
    let sql = """
      select \(text) \(from)
      where \(row) >= \(key(1)) and \(row) <= \(key(2)) \(filter)
      order by \(list)
      """
    let statement = Statement(sql, parameters: [.textArray, .textArray], columns: [.textArray])
    return statement(chunk.first, chunk.last)
  }

  /// How many rows a chunk has, and for each column of the key an array of its values, as an array's text;
  /// NULL where there are no rows.
  public func arrays(of chunk: Chunk) -> BoundStatement {
    let arrays = names.map { "array_agg(\($0) order by \(list))::text" }.joined(separator: ", ")
    let sql = """
      select count(*), \(arrays) \(from)
      where \(row) >= \(key(1)) and \(row) <= \(key(2)) \(filter)
      """
    let statement = Statement(
      sql, parameters: [.textArray, .textArray], columns: [.int8] + columns.map { _ in .text })
    return statement(chunk.first, chunk.last)
  }

  /// Counts the rows, but no more than `limit`.
  func count(limit: Int64) -> BoundStatement {
    let sql = "select count(*) from (select \(from) where true \(filter) limit $1) as counted"
    return Statement(sql, parameters: [.int8], columns: [.int8])(limit)
  }

  /// The planner's idea of the count, on the first line.
  func estimate() -> BoundStatement {
    let sql = "explain select \(from) where true \(filter)"
    return Statement(sql, columns: [.text])()
  }

  /// Number of rows in the first line of a plan: `Seq Scan on t  (cost=0.00..1.00 rows=17 width=4)`.
  static func rows(inPlan line: String) -> Int64? {
    guard let found = line.utf8.firstRange(of: "rows=".utf8) else { return nil }
    return Int64(line[found.upperBound...].prefix { $0.isASCII && $0.isNumber })
  }
}
