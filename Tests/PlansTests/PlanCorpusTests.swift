import Primitives
import TestSupport
import Testing

@testable import Plans

/// Both formats of a plan read the same: real statements, on the server that the tests run on.
@Suite(.timeLimit(.minutes(3))) struct PlanCorpusTests {
  private static let shop = DatabaseTemplate("plans_shop") { database in
    try await database.sql(
      """
      create schema shop;
      create table shop.customers (id int primary key, name text, city text, region text);
      create table shop.orders (
        id int primary key, customer_id int references shop.customers on delete cascade, status text, amount numeric);
      create table "Odd ""name"".x" (id int primary key, "the Key" text);
      create table parts (k int, v text) partition by range (k);
      create table parts1 partition of parts for values from (0) to (1000);
      create table parts2 partition of parts for values from (1000) to (2000);
      insert into shop.customers select n, 'c' || n, 'city' || n % 10, 'r' || n % 10 from generate_series(1, 2000) n;
      insert into shop.orders select n, 1 + n % 2000, case when n % 50 = 0 then 'open' else 'done' end, n % 100
        from generate_series(1, 10000) n;
      insert into parts select n, 'v' from generate_series(0, 1999) n;
      insert into "Odd ""name"".x" select n, n from generate_series(1, 100) n;
      create index "an ""index"" on x" on "Odd ""name"".x" ("the Key");
      create view open_orders as select * from shop.orders where status = 'open';
      vacuum analyze;
      """)
  }

  private static let statements = [
    "select 1", "select * from orders where status = 'open' order by amount desc limit 3",
    "select c.city, count(*) from customers c join orders o on o.customer_id = c.id group by 1 order by 2 desc",
    "with x as materialized (select * from orders where amount > 90) select * from x a join x b on a.id = b.id limit 5",
    "select *, (select count(*) from customers i where i.id = o.id and i.id < 10) from orders o where o.id < 3",
    "select * from orders where amount > (select avg(amount) from orders)",
    "select * from orders where id not in (select id from customers where id < 100)",
    "select city, region, count(*) from customers group by grouping sets ((city), (region), ())",
    "select city, region, count(*) from customers group by rollup (city, region) order by 1",
    "select row_number() over (partition by city order by id) from customers",
    "update orders set status = 'x' where id between 5 and 10", "delete from customers where id = 3",
    "insert into customers values (1, 'a') on conflict (id) do update set name = excluded.name where customers.id > 0",
    "update public.parts set v = 'y' where k in (1, 1500)", "select * from public.parts where k = (select 5)",
    "select * from generate_series(1, 5) g, lateral (select * from orders where id = g) z",
    "select * from customers where id in (1, 2, 3) or id = 77",
    "with recursive r (n) as (select 1 union all select n + 1 from r where n < 10) select * from r",
    "select distinct city from customers union select region from customers",
    "select city from customers intersect select region from customers",
    "select city from customers except all select region from customers",
    "select * from customers full join orders on customers.id = orders.customer_id limit 3",
    "select * from customers c where not exists (select from orders o where o.customer_id = c.id and status = 'open')",
    "select * from customers c left join orders o on o.customer_id = c.id where c.id < 5 order by c.id, o.amount",
    "select * from (values (1, 'a'), (2, 'b')) v (a, b) where a > 1",
    "select * from orders where ctid = '(0,1)'",
    "select * from orders tablesample system (1) repeatable (1) limit 1",
    "select id from orders where id < 100 order by id desc",
    "select max(id), min(amount) from orders", "select * from public.open_orders for update",
    "select * from public.\"Odd \"\"name\"\".x\" \"X y\" where \"the Key\" = '5: a' or \"the Key\" is null",
    "select unnest(array[1, 2]) from customers limit 3",
    "select * from xmltable('/a' passing '<a>1</a>' columns b text path '.')",
    "select 1 where 'a\nb: c' = current_setting('application_name') or random() < 2",
    "select * from orders o where o.id < 100 and o.amount = any (array[1, 2]) order by o.customer_id, o.id limit 10",
  ]

  private static let options = [
    "", "verbose, settings", "analyze, timing off, summary off", "analyze, buffers, verbose, wal, settings",
    "analyze, costs off, timing off, summary off", "costs off, verbose",
  ]

  /// Memory so small that sorts and hashes spill, JIT for all, or workers for all.
  private static let settings = [
    "set max_parallel_workers_per_gather = 0; set jit = off",
    "set max_parallel_workers_per_gather = 0; set work_mem = '64kB'; set jit_above_cost = 0; set enable_indexscan = off",
    "set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0; set jit = off",
  ]

  @Test func bothFormatsReadTheSame() async throws {
    try await withDatabase(template: Self.shop) { database in
      var compared = 0
      for (place, setting) in Self.settings.enumerated() {
        for options in Self.options
        where place == 0 || options.contains("analyze, buffers") || options.isEmpty {
          let texts = try await plans(database, setting, options, "text")
          let documents = try await plans(database, setting, options, "json")
          // Workers share rows by chance, and the leader's part of the sorts is another each time.
          if place == 2, options.contains("analyze") { continue }
          for (statement, (text, json)) in zip(Self.statements, zip(texts, documents)) {
            let rendering = Rendering(
              hasTimes: !options.contains("analyze"), hasCounts: !options.contains("analyze"))
            let read = rendering.lines(text).filter { !$0.hasSuffix("planning") }
            let expected = rendering.lines(json)
            let differing = zip(read, expected).filter { !same($0, $1) }.map { "\($0) | \($1)" }
            #expect(differing == [], "\(statement) with \(options)")
            #expect(read.count == expected.count)
            compared += 1
          }
        }
      }
      #expect(compared > 250)
    }
  }

  /// The last line of a plan that was not executed has its planning's pages, which differ from run to run.
  private func same(_ a: String, _ b: String) -> Bool {
    a == b || a.hasPrefix("-1.0 -1.0") && b.hasPrefix("-1.0 -1.0")
  }

  /// Each in a transaction of its own that is rolled back.
  private func plans(
    _ database: TestDatabase, _ setting: String, _ options: String, _ format: String
  ) async throws -> [Plan] {
    let list = (options.isEmpty ? [] : [options]) + ["format \(format)"]
    let script = Self.statements.map { statement in
      "begin; select 'PLAN'; explain (\(list.joined(separator: ", "))) \(statement); rollback;"
    }
    let rows = try await database.sql(
      "set search_path = shop, public; \(setting);\n\(script.joined(separator: "\n"))", timeout: .seconds(100)
    )
    let output = rows.map { $0.joined() }.joined(separator: "\n").split(separator: "PLAN\n")
    #expect(output.count == Self.statements.count)
    return try output.map { try Plan(parsing: Array($0.utf8)) }
  }

  @Test(arguments: ["report-15", "report-16", "report-18", "delete-15", "delete-16", "delete-18"])
  func psqlsOutputReads(name: String) throws {
    let text = try Plan(parsing: corpus("\(name).txt"))
    let json = try Plan(parsing: corpus("\(name).json"))
    let rendering = Rendering(hasTimes: false)
    // The two are of two runs, each with a log of its own.
    let read = rendering.lines(text).filter { !$0.contains("WAL ") }
    let expected = rendering.lines(json).filter { !$0.contains("WAL ") }
    let differing = zip(read, expected).filter { $0 != $1 }.map { "\($0) | \($1)" }
    #expect(differing == [])
    #expect(read.count == expected.count)
    #expect(text.executionTime != nil && text.planningTime != nil)
    let analysis = PlanAnalysis(text)
    let own = analysis.entries.reduce(0) { $0 + ($1.ownTime ?? 0) }
    let total = try #require(analysis.entries[0].time)
    #expect(abs(own - total) < 0.02 * total + 0.1)
  }
}
