import TestSupport
import Testing

/// Rows that cannot be worked on are found, recorded and passed over; the others are worked on once.
@Suite struct BadRowTests {
  private static let bad = ["77", "3500", "6993"]

  private func withBadRows(_ body: (Workshop) async throws -> Void) async throws {
    try await withWorkshop { shop in
      try await shop.makeCounters(1000)
      try await shop.sql(
        """
        alter table counters add constraint sane check (n < 1 or id not in (\(Self.bad.joined(separator: ", "))))
        """)
      try await body(shop)
    }
  }

  @Test func badRowsAreIsolatedRecordedAndSkipped() async throws {
    try await withBadRows { shop in
      let result = try await shop.job(arguments: Workshop.increment + ["--concurrency", "3", "--json"])
      #expect(result.exitCode == 3, "\(result)")
      #expect(value("state", in: result.stdout) == "done" && value("failed_count", in: result.stdout) == "3")
      #expect(value("done", in: result.stdout) == "1000" && value("affected", in: result.stdout) == "997")
      for key in Self.bad {
        #expect(result.stdout.contains(#"{"key":{"id":"\#(key)"},"code":"23514","message":"#))
      }
      #expect(try await shop.counts() == [["0", "3"], ["1", "997"]])
      let text = try await shop.job("status")
      #expect(text.stdout.contains("3 rows failed:") && text.stdout.contains("3500"))
      #expect(try await shop.sql("select count(*) from ironforge.job_chunks") == [["0"]])
    }
  }

  @Test func aRunThatFailsTooOftenStopsAndGoesOnWhenMoreIsAllowed() async throws {
    try await withBadRows { shop in
      let options = Workshop.increment + ["--concurrency", "1", "--chunk-size", "50", "--json"]
      let stopped = try await shop.job(arguments: options + ["--max-failures", "1"])
      #expect(stopped.exitCode == 1 && value("code", in: stopped.stderr) == "too_many_failures", "\(stopped)")
      #expect(try await shop.status("state") == "failed")
      let counted = try await shop.counts()
      #expect(counted.map { $0[0] } == ["0", "1"], "\(counted)")
      // The limit is of one process: two have failed, and the next one finds the third.
      let finished = try await shop.job(arguments: options + ["--max-failures", "1"])
      #expect(finished.exitCode == 3 && finished.stderr.contains("continuing run"), "\(finished)")
      #expect(
        value("failed_count", in: finished.stdout) == "3" && value("attempt", in: finished.stdout) == "2")
      #expect(try await shop.counts() == [["0", "3"], ["1", "997"]])
    }
  }

  @Test func failedRowsAreTriedAgainEachOnce() async throws {
    try await withBadRows { shop in
      #expect(try await shop.job(arguments: Workshop.increment).exitCode == 3)
      let run = try await shop.latestRun()
      try await shop.sql(
        "alter table counters drop constraint sane, add constraint sane check (n < 1 or id <> 77)")
      let again = try await shop.job("run", "sql", "--retry-failed", run, "--json")
      #expect(again.exitCode == 3 && value("total", in: again.stdout) == "3", "\(again)")
      #expect(value("affected", in: again.stdout) == "2" && value("failed_count", in: again.stdout) == "1")
      #expect(try await shop.counts() == [["0", "1"], ["1", "999"]])
      // Those that succeeded are not tried a third time.
      let third = try await shop.job("run", "sql", "--retry-failed", run, "--json")
      #expect(third.exitCode == 0 && value("total", in: third.stdout) == "0", "\(third)")
      try await shop.sql("alter table counters drop constraint sane")
      let retries = try await shop.sql(
        "select id from ironforge.job_runs where failed = 1 and options ? 'retry_failed'")
      let retry = try #require(retries.first?.first)
      let last = try await shop.job("run", "sql", "--retry-failed", retry, "--json")
      #expect(last.exitCode == 0 && value("affected", in: last.stdout) == "1", "\(last)")
      #expect(try await shop.counts() == [["1", "1000"]])
      let unknown = try await shop.job("run", "sql", "--retry-failed", "00000000-0000-7000-8000-000000000000")
      #expect(unknown.exitCode == 4)
    }
  }

  @Test func failedRowsOfACompositeKeyAreTriedAgain() async throws {
    try await withWorkshop { shop in
      try await shop.sql(
        """
        create table stock (item text, shop int, n int not null default 0, primary key (shop, item));
        insert into stock select 'i,"' || i, s from generate_series(1, 5) i, generate_series(1, 4) s;
        alter table stock add constraint sane check (n < 1 or shop <> 2)
        """)
      let statement =
        "update stock s set n = n + 1 from unnest($1, $2) as k (i, s) where (s.shop, s.item) = (k.s, k.i)"
      let first = try await shop.job(
        "run", "sql", "--table", "stock", "--key", "item,shop", "--statement", statement, "--json")
      #expect(first.exitCode == 3 && value("failed_count", in: first.stdout) == "5", "\(first)")
      #expect(first.stdout.contains(#""key":{"shop":"2","item":"i,\"1"}"#))
      try await shop.sql("alter table stock drop constraint sane")
      let again = try await shop.job("run", "sql", "--retry-failed", try await shop.latestRun(), "--json")
      #expect(again.exitCode == 0 && value("affected", in: again.stdout) == "5", "\(again)")
      #expect(try await shop.sql("select n, count(*) from stock group by n") == [["1", "20"]])
    }
  }

  /// What every chunk would meet ends the run at once; nothing is split.
  @Test func anErrorThatIsNobodysRowEndsTheRun() async throws {
    try await withWorkshop { shop in
      try await shop.makeCounters(500)
      try await shop.sql(
        """
        create function broken() returns trigger language plpgsql
        as 'begin perform 1 from no_such_table; return new; end';
        create trigger broken before update on counters for each row when (old.id > 1000)
        execute function broken()
        """)
      let result = try await shop.job(
        arguments: Workshop.increment + ["--chunk-size", "10", "--concurrency", "1", "--json"])
      #expect(result.exitCode == 78 && value("code", in: result.stderr) == "schema_missing", "\(result)")
      #expect(try await shop.status("state") == "failed")
      #expect(try await shop.status("failed_count") == "0")
      try await shop.sql("drop trigger broken on counters")
      #expect(try await shop.job(arguments: Workshop.increment).exitCode == 0)
      #expect(try await shop.counts() == [["1", "500"]])
    }
  }

  /// A row that somebody keeps locked holds up its chunk for a while, is found, and is set aside.
  @Test func aRowThatStaysLockedIsSetAside() async throws {
    try await withWorkshop { shop in
      try await shop.makeCounters(40)
      let lock = try await Holder(shop, "select from counters where id = 70 for update")
      let result = try await shop.job(
        arguments: Workshop.increment + ["--chunk-size", "20", "--concurrency", "2", "--json"],
        env: ["IRONFORGE_DATABASE_LOCK_TIMEOUT_SECS": "1"])
      try await lock.release()
      #expect(result.exitCode == 3, "\(result)")
      #expect(result.stdout.contains(#""failed":[{"key":{"id":"70"},"code":"55P03""#), "\(result)")
      #expect(try await shop.counts() == [["0", "1"], ["1", "39"]])
    }
  }

  /// One that is let go in time is not.
  @Test func aRowThatIsLockedForAMomentIsWaitedFor() async throws {
    try await withWorkshop { shop in
      try await shop.makeCounters(40)
      let lock = try await Holder(shop, "select from counters where id = 70 for update")
      let running = try await shop.start(
        Workshop.increment + ["--chunk-size", "20", "--concurrency", "2", "--json"],
        env: ["IRONFORGE_DATABASE_LOCK_TIMEOUT_SECS": "1"])
      try await shop.wait("select count(*) = 20 from counters where n = 1")
      try await shop.wait("select throttled_by = 'conflicts' from ironforge.job_runs")
      try await lock.release()
      let result = try await running.finish()
      #expect(result.exitCode == 0, "\(result)")
      #expect(try await shop.counts() == [["1", "40"]])
    }
  }
}
