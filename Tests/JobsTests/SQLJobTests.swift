import TestSupport
import Testing

/// `job run sql`: what is visited, and what is refused before anything happens.
@Suite struct SQLJobTests {
  @Test func everyRowIsVisitedOnce() async throws {
    try await withWorkshop { shop in
      try await shop.makeCounters(1234)
      let result = try await shop.job(
        "run", "sql", "--table", "counters", "--key", "id", "--statement",
        "update counters set n = n + 1 where id = any($1);", "--chunk-size", "50", "--concurrency", "4",
        "--json")
      #expect(result.exitCode == 0, "\(result)")
      #expect(value("state", in: result.stdout) == "done" && value("done", in: result.stdout) == "1234")
      #expect(value("total", in: result.stdout) == "1234" && value("affected", in: result.stdout) == "1234")
      #expect(result.stdout.hasSuffix(",\"failed\":[]}\n"))
      #expect(try await shop.counts() == [["1", "1234"]])
      // Nothing is left behind, and another run is another run.
      #expect(try await shop.sql("select count(*) from ironforge.job_chunks") == [["0"]])
      #expect(try await shop.job(arguments: Workshop.increment).exitCode == 0)
      #expect(try await shop.counts() == [["2", "1234"]])
    }
  }

  @Test func anEmptyTableIsDone() async throws {
    try await withWorkshop { shop in
      try await shop.makeCounters(0)
      let result = try await shop.job(arguments: Workshop.increment + ["--json"])
      #expect(result.exitCode == 0 && value("state", in: result.stdout) == "done", "\(result)")
      #expect(value("total", in: result.stdout) == "0")
    }
  }

  /// Keys of types that the program knows nothing of, with values that are hard to quote.
  @Test(arguments: [
    ("uuid", "gen_random_uuid()"),
    ("text", #"chr(64 + g % 7) || E'"\'{}, \\NULL é\n' || g"#),
    ("text", "case when g = 1 then '' else repeat(' ', g) end"),
    ("varchar(8)", "'k' || g"), ("char(6)", "g"), ("name", "'n' || g"), ("bytea", "int4send(g)"),
    ("timestamptz", "'2024-03-31 01:59:59.999999+01'::timestamptz + g * interval '1 hour 1 microsecond'"),
    ("date", "'0044-03-15 BC'::date + g"), ("numeric", "g / 7.0"), ("float8", "g::float8 / 3"),
    ("int4range", "int4range(g, g + 1)"), ("mood", "('{sad,ok,happy}'::mood[])[g % 3 + 1]"),
    ("positive", "g"), ("inet", "'10.0.0.0'::inet + g"),
  ])
  func aKeyMayHaveAnyType(type: String, value: String) async throws {
    try await withWorkshop { shop in
      let rows = type == "mood" ? 3 : 40
      try await shop.sql(
        """
        create type mood as enum ('sad', 'ok', 'happy');
        create domain positive as int check (value > 0);
        create table things (k \(type) primary key, n int not null default 0);
        insert into things (k) select \(value) from generate_series(1, \(rows)) g
        """)
      let result = try await shop.job(
        "run", "sql", "--table", "things", "--key", "k", "--statement",
        "update things set n = n + 1 from unnest($1) as u (k) where things.k = u.k", "--chunk-size", "7",
        "--json",
        env: ["PGTZ": "Asia/Tokyo", "PGDATESTYLE": "German"])
      #expect(result.exitCode == 0, "\(result)")
      #expect(try await shop.sql("select n, count(*) from things group by n") == [["1", "\(rows)"]])
    }
  }

  @Test(arguments: [("shop,item", "$1, $2"), ("item, shop", "$2, $1")])
  func aCompositeKeyGivesAnArrayEachInTheOrderOfTheKey(key: String, parameters: String) async throws {
    try await withWorkshop { shop in
      try await shop.sql(
        """
        create table stock (item text, shop uuid, n int not null default 0, primary key (shop, item));
        insert into stock (item, shop)
        select 'i' || i, ('00000000-0000-0000-0000-00000000000' || s)::uuid
        from generate_series(1, 30) i, generate_series(1, 9) s
        """)
      let result = try await shop.job(
        "run", "sql", "--table", "stock", "--key", key, "--chunk-size", "13", "--statement",
        "update stock s set n = n + 1 from unnest(\(parameters)) as k (shop, item) where (s.shop, s.item) = (k.shop, k.item)"
      )
      #expect(result.exitCode == 0, "\(result)")
      #expect(try await shop.sql("select n, count(*) from stock group by n") == [["1", "270"]])
    }
  }

  @Test func namesFollowTheRulesOfSQL() async throws {
    try await withWorkshop { shop in
      try await shop.sql(
        """
        create schema "Odd Schema";
        create table "Odd Schema"."Order; ""x"" " ("Id ""1"" " int primary key, n int not null default 0);
        insert into "Odd Schema"."Order; ""x"" " select g from generate_series(1, 10) g
        """)
      let table = #""Odd Schema"."Order; ""x"" ""#
      let result = try await shop.job(
        "run", "sql", "--table", table, "--key", #""Id ""1"" ""#, "--statement",
        #"update \#(table) set n = n + 1 where "Id ""1"" " = any($1)"#)
      #expect(result.exitCode == 0, "\(result)")
      #expect(try await shop.sql("select sum(n) from \(table)") == [["10"]])
    }
  }

  @Test func onlyRowsOfThePredicateAreVisited() async throws {
    try await withWorkshop { shop in
      try await shop.makeCounters(100)
      let result = try await shop.job(
        "run", "sql", "--table", "counters", "--key", "id", "--chunk-size", "4", "--where",
        "id % 2 = 0 -- even",
        "--statement", "update counters set n = n + 1 where id = any($1)", "--json")
      #expect(result.exitCode == 0 && value("total", in: result.stdout) == "50", "\(result)")
      #expect(try await shop.counts() == [["0", "50"], ["1", "50"]])
    }
  }

  @Test func aPartitionedTableIsATable() async throws {
    try await withWorkshop { shop in
      try await shop.sql(
        """
        create table counters (id int, n int not null default 0, primary key (id)) partition by range (id);
        create table low partition of counters for values from (0) to (50);
        create table high partition of counters default;
        insert into counters select g from generate_series(1, 100) g
        """)
      #expect(try await shop.job(arguments: Workshop.increment).exitCode == 0)
      #expect(try await shop.counts() == [["1", "100"]])
    }
  }

  /// A statement that inserts into its own table ends all the same, and changes of others do not stop it.
  @Test func rowsBeyondTheLastKeyAtTheStartAreNotVisited() async throws {
    try await withWorkshop { shop in
      try await shop.makeCounters(50)
      let result = try await shop.job(
        "run", "sql", "--table", "counters", "--key", "id", "--chunk-size", "5", "--statement",
        "insert into counters (id) select i + 100000 from unnest($1) as u (i)")
      #expect(result.exitCode == 0, "\(result)")
      #expect(try await shop.sql("select count(*) from counters") == [["100"]])
    }
  }

  @Test func theStatementMayReturnRowsOrBeAQuery() async throws {
    try await withWorkshop { shop in
      try await shop.makeCounters(20)
      try await shop.sql(
        """
        create function bump(ids bigint[]) returns setof bigint language sql
        as 'update counters set n = n + 1 where id = any(ids) returning id'
        """)
      let result = try await shop.job(
        "run", "sql", "--table", "counters", "--key", "id", "--statement", "select bump($1), now()", "--json")
      #expect(result.exitCode == 0 && value("affected", in: result.stdout) == "20", "\(result)")
      #expect(try await shop.counts() == [["1", "20"]])
    }
  }

  @Test(arguments: [
    ("counters", "id", "update counters set n = 1", "statement_parameters"),
    ("counters", "id", "update counters set n = 1 where id = any($1) and n = $2", "statement_parameters"),
    ("counters", "id", "update counters set n = 1 where id = any('{$1}') /* $1 */", "statement_parameters"),
    ("counters", "id", "update counters set n = 1 where id = any($1); commit", "statement_not_one"),
    ("counters", "id", "COMMIT", "statement_not_allowed"), ("counters", "id", " ; ", "statement_malformed"),
    ("counters", "id", "update counters set n = 'x where id = any($1)", "statement_malformed"),
    ("counters", "id", "update counters set m = 1 where id = any($1)", "statement_refused"),
    ("counters", "id", "updat counters set n = 1 where id = any($1)", "statement_refused"),
    ("counters", "n", "update counters set id = 1 where n = any($1)", "key_unsuitable"),
    ("counters", "maybe", "update counters set n = 1 where maybe = any($1)", "key_unsuitable"),
    ("counters", "id,n", "select $1, $2", "key_unsuitable"),
    ("counters", "nope", "select $1", "key_column_not_found"),
    ("counters", "id,", "select $1", "key_malformed"), ("counters", "id id", "select $1", "key_malformed"),
    ("counters", "id,id", "select $1", "key_malformed"), ("counters", "1", "select $1", "key_malformed"),
    ("nope", "id", "select $1", "table_not_found"), ("a.b.c.d", "id", "select $1", "table_not_found"),
    ("Mixed", "id", "select $1", "table_not_found"), ("seen", "id", "select $1", "table_unsuitable"),
    ("partly", "id", "select $1", "key_unsuitable"),
  ])
  func whatCannotWorkIsRefusedBeforeAnythingHappens(
    table: String, key: String, statement: String, code: String
  ) async throws {
    try await withWorkshop { shop in
      try await shop.makeCounters(3)
      try await shop.sql(
        """
        alter table counters add maybe int unique;
        create view seen as select * from counters;
        create table public."Mixed" (id int primary key);
        create table partly (id int not null);
        create unique index on partly (id) where id > 0
        """)
      let result = try await shop.job(
        "run", "sql", "--table", table, "--key", key, "--statement", statement, "--json")
      #expect(result.exitCode == 64 && value("code", in: result.stderr) == code, "\(result)")
      #expect(result.stdout == "" && result.stderr.contains("\"hint\":"))
      if table == "Mixed" { #expect(result.stderr.contains(#"did you mean --table 'public.\"Mixed\"'"#)) }
      #expect(try await shop.sql("select count(*) from ironforge.job_runs") == [["0"]])
      #expect(try await shop.counts() == [["0", "3"]])
    }
  }

  @Test(arguments: ["true) or (true", "id = $1", "id > 0; select 1", "(id > 0", "id = 'x"])
  func aPredicateStaysInItsParentheses(predicate: String) async throws {
    try await withWorkshop { shop in
      try await shop.makeCounters(3)
      let result = try await shop.job(arguments: Workshop.increment + ["--where", predicate, "--json"])
      #expect(result.exitCode == 64 && value("code", in: result.stderr) == "where_malformed", "\(result)")
    }
  }

  @Test func aStatementInAFileIsBlamedByItsLine() async throws {
    try await withWorkshop { shop in
      try await shop.makeCounters(10)
      let directory = try TemporaryDirectory("job")
      let good = try directory.write(
        "-- counts\n\nupdate counters\nset n = n + 1\nwhere id = any ($1);\n\n", to: "good.sql")
      let bad = try directory.write("\n\nupdate counters\nset m = 1\nwhere id = any ($1)", to: "bad.sql")
      let options = ["run", "sql", "--table", "counters", "--key", "id", "--file"]
      #expect(try await shop.job(arguments: options + [good]).exitCode == 0)
      #expect(try await shop.counts() == [["1", "10"]])
      let refused = try await shop.job(arguments: options + [bad, "--json"])
      #expect(
        refused.exitCode == 65 && value("code", in: refused.stderr) == "statement_refused", "\(refused)")
      #expect(refused.stderr.contains("bad.sql:4: "))
      let missing = try await shop.job(arguments: options + [directory.file("none.sql"), "--json"])
      #expect(missing.exitCode == 65 && value("code", in: missing.stderr) == "input_unreadable")
    }
  }

  @Test func aPrivilegeThatLacksIsNamedBeforeAnythingHappens() async throws {
    try await withWorkshop { shop in
      try await shop.makeCounters(3)
      let role = "worker_\(shop.database.name)"
      try await shop.sql(
        """
        create role \(role) login;
        grant usage on schema ironforge to \(role);
        grant all on all tables in schema ironforge to \(role);
        """)
      let url = shop.database.url.replacing("user=ironforge", with: "user=\(role)")
      let blind = try await shop.job(arguments: Workshop.increment + ["--json"], url: url)
      #expect(blind.exitCode == 77 && value("code", in: blind.stderr) == "insufficient_privilege", "\(blind)")
      #expect(blind.stderr.contains("SELECT on public.counters"))
      try await shop.sql("grant select on counters to \(role)")
      let unable = try await shop.job(arguments: Workshop.increment + ["--json"], url: url)
      #expect(
        unable.exitCode == 77 && value("code", in: unable.stderr) == "insufficient_privilege", "\(unable)")
      #expect(try await shop.sql("select count(*) from ironforge.job_runs") == [["0"]])
      try await shop.sql("grant update on counters to \(role)")
      let watching = try await shop.job(
        arguments: Workshop.increment + ["--max-lag", "5", "--json"], url: url)
      #expect(watching.exitCode == 77 && watching.stderr.contains("pg_monitor"), "\(watching)")
      #expect(try await shop.job(arguments: Workshop.increment, url: url).exitCode == 0)
      try await shop.sql("drop owned by \(role); drop role \(role)")
    }
  }

  @Test func aDryRunShowsThePlanAndWritesNothing() async throws {
    try await withWorkshop { shop in
      try await shop.makeCounters(250)
      let result = try await shop.job(arguments: Workshop.increment + ["--dry-run", "--json"])
      #expect(result.exitCode == 0, "\(result)")
      #expect(value("rows", in: result.stdout) == "250" && value("chunks", in: result.stdout) == "3")
      #expect(result.stdout.contains(#""first_key":["7"],"last_key":["1750"]"#))
      #expect(result.stdout.contains(#""open_run":null"#))
      #expect(result.stdout.contains("Update on counters"))
      let text = try await shop.job(arguments: Workshop.increment + ["--dry-run"])
      #expect(text.stdout.contains("Nothing was written."))
      #expect(try await shop.counts() == [["0", "250"]])
      #expect(try await shop.sql("select count(*) from ironforge.job_runs") == [["0"]])
      // It refuses what a real run refuses.
      let refused = try await shop.job(
        "run", "sql", "--table", "nope", "--key", "id", "--statement", "select $1", "--dry-run")
      #expect(refused.exitCode == 64)
      // A predicate that would write cannot.
      try await shop.sql(
        "create function sneaky() returns bool language sql volatile as 'update counters set n = 9 returning true'"
      )
      let sneaky = try await shop.job(arguments: Workshop.increment + ["--where", "sneaky()", "--dry-run"])
      #expect(sneaky.exitCode != 0)
      #expect(try await shop.counts() == [["0", "250"]])
    }
  }

  @Test func anUnknownJobIsNamedWithTheKnownOnes() async throws {
    let result = try await Ironforge.run(["job", "run", "mend-everything"])
    #expect(result.exitCode == 64 && result.stderr.contains("unknown command 'mend-everything'"), "\(result)")
    for job in ["sql", "settle-pending", "expire-holds", "analyze-stale", "drain-outbox"] {
      #expect(result.stderr.contains(job))
    }
  }
}
