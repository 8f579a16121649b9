import FoundationEssentials
import Primitives
import SQLSyntax
import TestSupport
import Testing

@testable import Ledger
@testable import Postgres

/// What a distributed schema would ask of our statements, read out of them: docs/operations.md, "Citus".
@Suite struct DistributionTests {
  /// Each table by the column that it would be distributed by.
  private static let columns = [
    "wallets": "id", "assets": "wallet_id", "transactions": "wallet_id", "transfers": "key",
  ]

  /// A table is found in the shard that its distribution column names; without it, every shard is asked.
  @Test func theManualCountsTheStatementsThatNameTheirShard() throws {
    let readsAll = Set(LedgerVerification.statements.map(\.sql))
    let statements = Ledger.statements.filter { !readsAll.contains($0.sql) }
    let manual = try String(contentsOf: URL(filePath: Repository.path("docs/operations.md")), encoding: .utf8)
    for (table, column) in Self.columns.sorted(by: { $0.key < $1.key }) {
      var touching = 0
      var naming = 0
      for statement in statements {
        let uses = try Self.uses(of: table, column, in: statement.sql)
        if uses.isEmpty { continue }
        touching += 1
        if uses.allSatisfy({ $0 }) { naming += 1 }
      }
      let row = manual.split(separator: "\n").first {
        $0.hasPrefix("| `\(table)` |") && $0.contains("`\(column)`")
      }
      let cells = (row ?? "").split(separator: "|").map { String($0.trimming { $0 == " " }) }
      #expect(cells.suffix(2) == ["\(touching)", "\(naming)"], "\(table): \(touching), \(naming)")
    }
  }

  @Test func aUseIsToldByItsColumn() throws {
    func uses(_ sql: String) throws -> [Bool] { try Self.uses(of: "assets", "wallet_id", in: sql) }
    #expect(try uses("select * from assets where wallet_id = $1") == [true])
    #expect(try uses("select * from assets a where a.currency = $1") == [false])
    #expect(try uses("select * from assets a join wallets w on w.id = a.wallet_id") == [true])
    #expect(try uses("select * from assets where wallet_id = any($1)") == [true])
    #expect(try uses("select * from assets where (wallet_id, currency) in (select w, c from x)") == [true])
    #expect(try uses("select * from assets where wallet_id > $1") == [false])
    #expect(try uses("insert into assets (currency, wallet_id) select 1, 2") == [true])
    #expect(try uses("update assets a set held = 0 where a.wallet_id in ($1, $2)") == [true])
    #expect(try uses("update assets set held = 0") == [false])
    #expect(try uses("select 1 from wallets") == [])
    #expect(
      try uses(
        "select (select 1 from assets b where b.currency = a.currency) from assets a where a.wallet_id = $1")
        == [false, true])
  }

  // MARK: Reading

  /// For each place where a statement uses a table, whether it says which value the column has there.
  private static func uses(of table: String, _ column: String, in sql: String) throws -> [Bool] {
    var uses: [Bool] = []
    for statement in try SQLSyntax.parse(sql) {
      let compared = comparedColumns(statement.tree)
      statement.tree.forEachNode { node in
        switch node.type {
        case "RangeVar":
          if let alias = alias(node.members, table) { uses.append(isNamed(alias, column, compared)) }
        case "UpdateStmt", "DeleteStmt":
          if let alias = alias(node.members["relation"], table) {
            uses.append(isNamed(alias, column, compared))
          }
        case "InsertStmt":
          if alias(node.members["relation"], table) != nil {
            uses.append(
              node.members["cols"].elements.contains { $0.node?.members["name"].text == column })
          }
        default: break
        }
        return true
      }
    }
    return uses
  }

  /// What a use of the table is called in its statement; nil for another table.
  private static func alias(_ relation: JSON, _ table: String) -> String? {
    guard relation["relname"].text == table else { return nil }
    return relation["alias"]["aliasname"].text ?? table
  }

  private static func isNamed(_ alias: String, _ column: String, _ compared: Set<[String]>) -> Bool {
    compared.contains([alias, column]) || compared.contains([column])
  }

  /// The columns that stand on either side of `=`, of `= any` and of IN.
  private static func comparedColumns(_ tree: JSON) -> Set<[String]> {
    var found: Set<[String]> = []
    tree.forEachNode { node in
      let members = node.members
      switch node.type {
      case "A_Expr" where members["name"].elements.contains { $0.node?.members.name == "=" }:
        for side in [members["lexpr"], members["rexpr"]] { found.formUnion(columns(side)) }
      case "SubLink" where members["subLinkType"].text == "ANY_SUBLINK":
        found.formUnion(columns(members["testexpr"]))
      default: break
      }
      return true
    }
    return found
  }

  /// A column, or those of a row, and not those inside an expression.
  private static func columns(_ side: JSON) -> [[String]] {
    guard let node = side.node else { return [] }
    switch node.type {
    case "ColumnRef": return [node.members["fields"].elements.compactMap { $0.node?.members.name }]
    case "RowExpr": return node.members["args"].elements.flatMap(columns)
    default: return []
    }
  }
}

extension JSON {
  /// The text of a `String` node, whose member has another name in each version of libpg_query.
  fileprivate var name: String? { self["sval"].text ?? self["str"].text }
}

extension Substring {
  /// Without what fits at either end.
  fileprivate func trimming(_ fits: (Character) -> Bool) -> Substring {
    var text = self
    while let first = text.first, fits(first) { text.removeFirst() }
    while let last = text.last, fits(last) { text.removeLast() }
    return text
  }
}
