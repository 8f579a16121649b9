public import Plans
internal import Primitives
internal import SQLSyntax

/// Statistics that may mend a wrong estimate, as statements that run.
public enum StatisticsAdvice {
  /// Most columns of one statistics object (PostgreSQL's `STATS_MAX_DIMENSIONS`).
  private static let columnsMax = 8
  /// Bytes of a name (`NAMEDATALEN`).
  private static let nameMax = 63

  /// Findings of wrong estimates with the statements for their columns. Those whose conditions name no plain column stay as
  /// they are.
  public static func written(_ findings: [PlanFinding]) -> [PlanFinding] {
    findings.map { finding in
      var finding = finding
      if let step = finding.statistics.flatMap(step) { finding.nextStep = step }
      return finding
    }
  }

  static func step(_ wish: StatisticsWish) -> String? {
    let columns = Array((wish.groups.isEmpty ? compared(wish) : grouped(wish)).prefix(columnsMax))
    guard let first = columns.first else { return nil }
    let table = qualified(wish.relation, wish.schema)
    let analyze = "ANALYZE \(table);"
    guard columns.count > 1 else {
      return
        "\(analyze) if the estimate stays wrong: ALTER TABLE \(table) ALTER COLUMN \(first) SET STATISTICS 1000; \(analyze)"
    }
    let kinds = wish.groups.isEmpty ? "dependencies, mcv" : "ndistinct"
    let name = qualified(statisticsName(wish.relation, columns), wish.schema)
    return
      "\(analyze) if the estimate stays wrong, the columns depend on each other: CREATE STATISTICS \(name) (\(kinds)) ON"
      + " \(columns.joined(separator: ", ")) FROM \(table); \(analyze)"
  }

  private static func qualified(_ name: String, _ schema: String?) -> String {
    (schema.map { [$0, name] } ?? [name]).map(SQLSyntax.quoted).joined(separator: ".")
  }

  /// Up to PostgreSQL 15 statistics must have a name. It is cut at the end of a character.
  private static func statisticsName(_ relation: String, _ columns: [String]) -> String {
    let parts =
      [relation] + columns.map { String(String.UnicodeScalarView($0.unicodeScalars.filter { $0 != "\"" })) }
      + ["stats"]
    var name = ""
    for character in parts.joined(separator: "_") {
      guard name.utf8.count + character.utf8.count <= nameMax else { break }
      name.append(character)
    }
    return name
  }

  private static func compared(_ wish: StatisticsWish) -> [String] {
    var found = ConditionColumns(aliases: [wish.alias ?? wish.relation])
    for condition in wish.conditions.prefix(8) { found.read(condition) }
    return found.compared
  }

  /// Empty where a group is no plain column.
  private static func grouped(_ wish: StatisticsWish) -> [String] {
    guard wish.groups.utf8.count <= ConditionColumns.textMax else { return [] }
    do throws(SQLSyntaxError) {
      let items =
        try SQLSyntax.parse("select 1 from t order by \(wish.groups)").first?
        .tree["SelectStmt"]["sortClause"].elements ?? []
      let table = ConditionColumns(aliases: [wish.alias ?? wish.relation])
      let columns = items.map { table.column($0["SortBy"]["node"]) }
      return columns.contains(nil) ? [] : columns.compactMap { $0 }
    } catch {
      // What the plan prints and the grammar of 15 does not know has no columns to name.
      return []
    }
  }
}
