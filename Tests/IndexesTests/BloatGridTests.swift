import Postgres
import TestSupport
import Testing

@testable import Indexes

/// Real indexes, their sizes as estimated, and their sizes after REINDEX, which is what the estimate means to tell.
@Suite(.timeLimit(.minutes(5))) struct BloatGridTests {
  private static let rows = 120_000

  /// Name, and the definition behind `on grid`.
  private static let fresh: [(name: String, definition: String)] = [
    ("int", "(id)"), ("int_ff50", "(id) with (fillfactor = 50)"),
    ("int_ff100", "(id) with (fillfactor = 100)"),
    ("small_values", "(small)"), ("few_values", "(few)"),
    ("few_not_merged", "(few) with (deduplicate_items = off)"), ("fives", "(fives)"), ("pairs", "(pairs)"),
    ("skewed", "(skewed)"), ("uuid", "(u)"), ("name", "(name)"), ("wide", "(wide)"),
    ("wide_ff50", "(wide) with (fillfactor = 50)"),
    ("flag", "(flag)"), ("amount", "(amount)"), ("at", "(at)"), ("half_null", "(half)"),
    ("all_null", "(nothing)"),
    ("few_and_at", "(few, at)"), ("small_and_int", "(small, id)"), ("half_and_name", "(half, name)"),
    ("three", "(flag, few, small)"), ("covering", "(id) include (at, small)"),
    ("covering_few", "(few) include (name)"),
    ("partial", "(at) where half is null"), ("partial_few", "(few) where flag"),
    ("lowered", "(lower(name))"), ("years", "(extract(year from at at time zone 'UTC'))"),
  ]

  /// Filled, aged and vacuumed, then counted.
  private func fill(_ database: TestDatabase) async throws {
    let indexes = Self.fresh.map { "create index \($0.name) on grid \($0.definition);" }
    try await database.sql(
      """
      create table grid (id int, small smallint, few int, fives int, pairs bigint, skewed int, u uuid, name text, wide text,
        flag boolean, amount numeric, at timestamptz, half int, nothing int);
      select setseed(0.42);
      insert into grid
      select n, n % 200, n % 100, random() * \(Self.rows / 5), n / 2, exp(random() * 11), md5(n::text)::uuid,
        'user ' || (random() * 1e6)::int, repeat(md5(n::text), 6), n % 3 = 0, (n % 977) / 100.0,
        '2026-01-01'::timestamptz + n * interval '37 seconds', case when n % 2 = 0 then n end, null
      from generate_series(1, \(Self.rows)) n;
      \(indexes.joined(separator: "\n"))
      create unique index ids on grid (id);

      create table aged (id int, u uuid, few int, pad int) with (autovacuum_enabled = off);
      create index aged_random on aged (u);
      create index aged_rising on aged (id);
      create index aged_few on aged (few);
      insert into aged select n, md5(n::text)::uuid, n % 50, n from generate_series(1, \(Self.rows)) n;

      create table emptied (id int, name text, few int) with (autovacuum_enabled = off);
      insert into emptied select n, 'user ' || n, n % 10 from generate_series(1, \(Self.rows)) n;
      create index emptied_int on emptied (id);
      create index emptied_name on emptied (name);
      create index emptied_few on emptied (few);
      -- One in twelve stays, so that no page is empty.
      delete from emptied where id % 12 <> 0;

      create table churned (id int, few int) with (autovacuum_enabled = off);
      insert into churned select n, n % 10 from generate_series(1, \(Self.rows / 4)) n;
      create index churned_int on churned (id);
      update churned set id = id + 1000000;
      update churned set id = id + 1000000;
      update churned set id = id + 1000000;
      """, timeout: .seconds(120))
    try await database.sql("vacuum analyze", timeout: .seconds(120))
  }

  /// Name, bytes now, the estimate, bytes after REINDEX, and the verdict without a floor.
  private struct Line {
    let name: String
    let size: Double
    let bounds: BtreeEstimate.Bounds
    let rebuilt: Double
    let verdict: String
  }

  private func measure(_ database: TestDatabase) async throws -> [Line] {
    let catalog = try await readCatalog(database.url, bloatBytes: 0)
    var thresholds = Thresholds()
    thresholds.bloatWasteBytes = 0
    let rule = BloatRule(context: RuleContext(catalog, thresholds), measured: [:])
    let verdicts = Dictionary(
      rule.apply().map { ($0.index ?? "", "\($0.verdict)") }, uniquingKeysWith: { first, _ in first })
    try await database.sql(
      "reindex table grid; reindex table aged; reindex table emptied; reindex table churned")
    let sizes = try await database.sql(
      "select relname, pg_relation_size(oid) from pg_class where relkind = 'i' and relnamespace = 'public'::regnamespace"
    )
    let after = Dictionary(sizes.map { ($0[0], Double($0[1]) ?? 0) }, uniquingKeysWith: { first, _ in first })
    return try catalog.sortedIndexes.map { index in
      Line(
        name: index.name.name, size: Double(index.sizeBytes), bounds: try #require(rule.estimate(of: index)),
        rebuilt: try #require(after[index.name.name]), verdict: verdicts[index.name.name] ?? "-")
    }
  }

  @Test func theEstimateIsWhatReindexMakes() async throws {
    try await withDatabase { database in
      try await fill(database)
      let lines = try await measure(database)
      #expect(lines.count == Self.fresh.count + 8)
      func padded(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
      }
      func kilobytes(_ bytes: Double) -> String { padded("\(Int(bytes / 1024))", 8) }
      print("index                   now kB      low     high  rebuilt   low/r  high/r  verdict")
      for line in lines {
        let name = line.name + String(repeating: " ", count: max(0, 20 - line.name.count))
        let ratios = [line.bounds.low, line.bounds.high].map {
          padded("\(Int($0 / line.rebuilt * 100)) %", 8)
        }
        print(
          name, kilobytes(line.size), kilobytes(line.bounds.low), kilobytes(line.bounds.high),
          kilobytes(line.rebuilt),
          ratios.joined(), " \(line.verdict)")
      }
      for line in lines {
        let (low, high) = (line.bounds.low / line.rebuilt, line.bounds.high / line.rebuilt)
        #expect(low < 1.2, "\(line.name) is estimated too large: \(line)")
        #expect(high > 0.85, "\(line.name) is estimated too small: \(line)")
        let isAged = line.name.hasPrefix("emptied") || line.name.hasPrefix("churned")
        if isAged {
          #expect(line.size >= 2 * line.rebuilt, "\(line.name) was not bloated: \(line)")
          #expect(line.verdict == "rebuild", "\(line)")
        } else {
          #expect(line.size < 2 * line.rebuilt, "\(line.name) was bloated: \(line)")
          #expect(line.verdict == "-" || line.verdict == "keep", "\(line)")
        }
      }
    }
  }
}
