import Primitives

@testable import Indexes

/// Catalogs for tests of rules, written down as values.
struct Draft {
  static let now = Timestamp(microseconds: 1_790_000_000_000_000)
  static let longAgo = Timestamp(microseconds: now.microseconds - 100 * 86_400 * 1_000_000)

  var tables: [Table] = []
  var indexes: [Index] = []
  var foreignKeys: [ForeignKey] = []
  var facts = StatisticsFacts(now: Self.now, since: Self.longAgo)

  var catalog: Catalog {
    Catalog(tables: tables, indexes: indexes, foreignKeys: foreignKeys, facts: facts)
  }

  var report: IndexAuditReport { Audit(catalog).report() }

  /// Verdict, kind, object, and the codes of the reasons.
  var findings: [String] { report.findings.map(Self.line) }

  /// Those of one kind.
  func findings(_ kind: Finding.Kind) -> [String] {
    report.findings.filter { $0.kind == kind }.map(Self.line)
  }

  private static func line(_ finding: Finding) -> String {
    "\(finding.verdict) \(finding.index ?? finding.table.name): "
      + finding.reasons.map(\.code).joined(separator: " ")
  }

  /// A table that somebody reads and writes, with the columns a, b, c and d.
  @discardableResult
  mutating func table(_ name: String = "t", _ change: (inout Table) -> Void = { _ in }) -> UInt32 {
    let oid = UInt32(100 + tables.count)
    var table = Table(
      oid: oid, name: RelationName(schema: "public", name: name, quoted: "public.\(name)"))
    for (number, column) in ["a", "b", "c", "d"].enumerated() {
      table.columns[Int16(number + 1)] = Column(name: column, quoted: column)
    }
    table.rows = 100
    table.sizeBytes = 2 << 20
    table.counters.inserted = 1
    table.counters.lastAnalyze = Self.longAgo
    change(&table)
    tables.append(table)
    return oid
  }

  /// An index on the last table, old and unused. Keys are column letters, or expressions in parentheses; a minus stands
  /// before descending ones.
  @discardableResult
  mutating func index(
    _ name: String, _ keys: String, include: String = "", where predicate: String? = nil,
    on table: UInt32? = nil, _ change: (inout Index) -> Void = { _ in }
  ) -> UInt32 {
    let oid = UInt32(1000 + indexes.count)
    var index = Index(
      oid: oid, table: table ?? tables.last?.oid ?? 0,
      name: RelationName(schema: "public", name: name, quoted: "public.\(name)"),
      keys: keys.split(separator: " ").map(Self.key))
    index.included = include.split(separator: " ").compactMap { Self.column($0) }
    index.predicate = predicate
    index.definition = "CREATE INDEX \(name) ON public.t USING btree (\(keys))"
    index.madeAt = Self.longAgo
    change(&index)
    indexes.append(index)
    return oid
  }

  /// To columns of the same names.
  mutating func foreignKey(_ columns: String, to parent: UInt32, on table: UInt32? = nil) {
    let numbers = columns.split(separator: " ").compactMap { Self.column($0) }
    foreignKeys.append(
      ForeignKey(
        name: "fk_\(foreignKeys.count)", table: table ?? tables.last?.oid ?? 0,
        columns: numbers, parent: parent, parentColumns: numbers,
        parentName: RelationName(schema: "public", name: "parent", quoted: "public.parent")))
  }

  private static func key(_ text: Substring) -> IndexKey {
    let isDescending = text.first == "-"
    let name = isDescending ? text.dropFirst() : text
    var key = column(name).map { IndexKey(column: $0) } ?? IndexKey(expression: ExactText(String(name)))
    key.isDescending = isDescending
    key.hasNullsFirst = isDescending
    return key
  }

  private static func column(_ name: Substring) -> Int16? {
    ["a", "b", "c", "d"].firstIndex(of: String(name)).map { Int16($0 + 1) }
  }
}
