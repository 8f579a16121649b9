import TestSupport
import Testing

@testable import Indexes

/// Bounds on whole numbers that are the same in other words: `a >= 6` and `a > 5`.
@Suite(.timeLimit(.minutes(3))) struct IntegerBoundTests {
  @Test(arguments: [
    ("(a > 5)", "(a >= 6)"), ("(a < 5)", "(a <= 4)"), ("(a > '-1'::integer)", "(a >= 0)"),
    ("((a > 5) AND (b < 3))", "((b < 3) AND (a >= 6))"),
    ("(a > '9223372036854775806'::bigint)", "(a >= '9223372036854775807'::bigint)"),
    ("(a < '-9223372036854775807'::bigint)", "(a <= '-9223372036854775808'::bigint)"),
    // There is nothing beyond the end, and no trap.
    ("(a > '9223372036854775807'::bigint)", "(a > '9223372036854775807'::bigint)"),
    ("(a < '-9223372036854775808'::bigint)", "(a < '-9223372036854775808'::bigint)"),
    ("(a <> 5)", "(a <> 5)"), ("(a > 'x'::text)", "(a > 'x'::text)"), ("(a > 5.5)", "(a > 5.5)"),
    ("((a)::numeric > (5)::numeric)", "((a)::numeric > (5)::numeric)"),
    ("(abs(a) > 5)", "(abs(a) > 5)"),
  ])
  func isTheSameInOtherWords(_ text: String, _ tightened: String) {
    #expect(Predicate(parsing: text).tightened(["a"]) == Predicate(parsing: tightened))
    #expect(Predicate(parsing: text).tightened([]) == Predicate(parsing: text))
  }

  /// As the planner proves it: of a statement with `a > 5` it does not know that the other has all rows.
  @Test(arguments: [(narrow: 1000, wide: 0), (narrow: 0, wide: 1000)])
  func theOneThatServesMoreStatementsStays(_ scans: (narrow: Int64, wide: Int64)) {
    func findings(_ keys: String, isInteger: Bool = true, _ change: (inout Draft) -> Void = { _ in })
      -> [String]
    {
      var draft = Draft()
      draft.table { $0.columns[2]?.isInteger = isInteger }
      draft.index("narrow", keys, where: "(b >= 6)") { $0.usage.scans = scans.narrow }
      draft.index("wide", keys, where: "(b > 5)") { $0.usage.scans = scans.wide }
      change(&draft)
      return draft.findings(.redundant) + draft.findings(.duplicate)
    }
    #expect(findings("a b") == ["drop narrow: covered_by"])
    // A statement with `b >= 6` could not be answered from the index alone any more.
    #expect(findings("a") == ["review narrow: same_rows"])
    #expect(findings("a") { $0.indexes[0].isClustered = true } == ["keep narrow: same_rows clustered"])
    // Between 5 and 6 there is more.
    #expect(findings("a b", isInteger: false).allSatisfy { $0 == "keep narrow: partial_filters" })
    let same = findings("a") { $0.indexes[1].predicate = "(b >= 6)" }
    #expect(same.count == 1 && same[0].hasSuffix(": duplicate_of"))
  }

  @Test func theServerSaysWhichColumnsAreOfWholeNumbers() async throws {
    try await withDatabase { database in
      try await database.sql(
        """
        create domain whole as int;
        create table t (id int, s int2, i int4, b int8, n numeric, f float8, o oid, d whole, "Odd" int, spare int);
        create index ge on t (id) where s >= 6 and "Odd" >= 6 and n >= 0 and f >= 0 and o >= 0 and d >= 0 and b >= 0;
        create index gt on t (id) where s > 5 and "Odd" > 5 and n >= 0 and f >= 0 and o >= 0 and d >= 0 and b > -1;
        create index included on t (id) include (i) where i >= 6;
        create index included_too on t (id) include (i) where i > 5;
        """)
      let catalog = try await readCatalog(database.url)
      let columns = try #require(catalog.tables.values.first).columns.values
      #expect(columns.filter(\.isInteger).map(\.name).sorted() == ["Odd", "b", "i", "id", "s"])
      #expect(columns.count == 9)
      let found = Audit(catalog.trusted).report().findings.filter { $0.kind == .redundant }.map {
        "\($0.verdict) \($0.index ?? ""): \($0.reasons.map(\.code))"
      }
      #expect(Set(found) == [#"review ge: ["same_rows"]"#, #"drop included: ["covered_by"]"#])
    }
  }

  /// Random WHERE clauses, as the server prints them and as it evaluates them.
  @Test func sameRowsAreTheSameRows() async throws {
    try await withDatabase { database in
      try await database.sql(
        """
        create table t (id int, s int2, i int4, b int8, n numeric);
        insert into t
        select 1, s, i, b, n
        from unnest(array[null, -32768, -1, 0, 1, 2, 32767]::int2[]) s,
          unnest(array[null, -2147483648, -1, 0, 1, 2, 2147483647]::int4[]) i,
          unnest(array[null, '-9223372036854775808', -1, 0, 1, 2, 9223372036854775807]::int8[]) b,
          unnest(array[null, -0.5, 0, 0.5, 1, 1.5, 2]) n;
        """)
      let seed = seeds(fresh: 1).last ?? 1
      var random = SeededGenerator(seed: seed)
      let clauses = (0..<90).map { _ in Self.clause(&random) }
      try await database.sql(
        clauses.enumerated().map { "create index i\($0) on t (id) where \($1);" }.joined(separator: "\n"))
      let catalog = try await readCatalog(database.url)
      let coverage = Coverage(catalog)
      var pairs: [String] = []
      for index in catalog.sortedIndexes {
        for other in catalog.sortedIndexes {
          let relation = coverage.relation(of: index, to: other)
          guard relation == .covered || relation == .reworded else { continue }
          let (own, others) = (try clause(index), try clause(other))
          pairs.append("('\(own) is \(others)', (\(own)) is true, (\(others)) is true)")
        }
      }
      #expect(pairs.count > 10)
      let wrong = try await database.sql(
        """
        select distinct p.what from t cross join lateral (values \(pairs.joined(separator: ",\n"))) p (what, a, b)
        where p.a <> p.b
        """)
      #expect(wrong == [], "seed \(seed)")

      func clause(_ index: Index) throws -> String {
        clauses[try #require(Int(index.name.name.dropFirst()))]
      }
    }
  }

  private static func clause(_ random: inout SeededGenerator) -> String {
    let limits = [
      "s": ["-32768", "32767"], "i": ["-2147483648", "2147483647"],
      "b": ["(-9223372036854775808)", "9223372036854775807"], "n": ["0.5"],
    ]
    return (0..<Int.random(in: 1...2, using: &random)).map { _ in
      let column = ["s", "i", "b", "n"].randomElement(using: &random) ?? "i"
      let comparison = ["<", "<=", ">", ">=", ">", ">="].randomElement(using: &random) ?? "="
      let constant = (["0", "1", "-1"] + limits[column, default: []]).randomElement(using: &random) ?? "0"
      return "\(column) \(comparison) \(constant)"
    }.joined(separator: " and ")
  }
}
