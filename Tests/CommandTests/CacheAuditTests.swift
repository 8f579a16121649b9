import Redis
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(3)))
struct CacheAuditTests {
  private func count(_ kind: String, _ result: ProgramResult) -> Int? {
    value(kind, in: result.stdout).flatMap { Int($0) }
  }

  @Test func aWarmCacheIsSound() async throws {
    try await withCachedTown { town in
      #expect(try await town.run("cache", "warmup").exitCode == 0)
      for scope in [["--all"], ["--sample", "50"], []] {
        let audit = try await town.town.run(
          ["cache", "audit", "--json"] + scope, env: ["IRONFORGE_REDIS_URL": town.redis.url])
        #expect(audit.exitCode == 0 && audit.stderr == "")
        #expect(
          audit.stdout
            == "{\"checked\":4,\"fresh\":4,\"stale\":0,\"missing\":0,\"orphaned\":0,\"findings\":[],\"unlisted\":0}\n"
        )
      }
      let text = try await town.run("cache", "audit", "--scope", "users")
      #expect(text.stdout == "Compared 1 keys: 1 fresh, 0 stale, 0 missing, 0 orphaned.\n")
    }
  }

  @Test func whatIsPlantedIsFoundWithItsCause() async throws {
    try await withCachedTown { town in
      #expect(try await town.run("cache", "warmup").exitCode == 0)
      let (main, savings, bank) = (
        try await town.key(ofWallet: "main"), try await town.key(ofWallet: "savings"),
        try await town.key(ofWallet: "bank")
      )
      // Programs that do not fence: one renames, one deletes, one writes values of its own.
      try await town.database.sql("update wallets set name = 'daily' where name = 'main'")
      try await town.database.sql("delete from wallets where name = 'savings'")
      let list = "wallet:01a205f0-2c1b-7a6e-8a07-9d1f4d1fb8c1"
      try await town.command("RPUSH", .text(list), "1")
      // No keys of rows, and no valid keys of a cache: they are nobody's business.
      for name in [
        "user:of-another-program", "user:{42}:cart", "user:4 2",
        "wallet:" + String(repeating: "x", count: 600),
      ] {
        try await town.command("SET", .text(name), "{}")
      }
      try await town.command("DEL", .text(bank))
      let ada = try await town.keyOfAda()
      try await town.command("SET", .text(ada), "null")
      for scope in ["--all", "--sample=1000"] {
        let audit = try await town.run("cache", "audit", "--json", scope)
        #expect(audit.exitCode == 10 && audit.stderr == "")
        #expect(count("checked", audit) == 5 && count("fresh", audit) == 0)
        #expect(count("stale", audit) == 2 && count("missing", audit) == 1 && count("orphaned", audit) == 2)
        for (kind, key, cause) in [
          ("stale", main, "unfenced_write"), ("stale", ada, "row_created"), ("missing", bank, "not_filled"),
          ("orphaned", savings, "row_deleted"), ("orphaned", list, "foreign_type"),
        ] {
          let finding = "{\"kind\":\"\(kind)\",\"key\":\"\(key)\",\"cause\":\"\(cause)\",\"reason\":\""
          #expect(audit.stdout.contains(finding), "\(finding)")
        }
      }
      try await town.database.sql("insert into ironforge.cache_outbox (keys) values ('{x,\(main)}')")
      let waiting = try await town.run("cache", "audit", "--all", "--json")
      #expect(waiting.stdout.contains("\"key\":\"\(main)\",\"cause\":\"outbox_pending\""))
      let mended = try await town.run(
        "cache", "invalidate", main, savings, ada, list, "user:of-another-program")
      #expect(mended.exitCode == 0)
      let after = try await town.run("cache", "audit", "--all", "--fail-on", "stale,orphaned", "--json")
      #expect(after.exitCode == 0 && count("missing", after) == 3)
      #expect(after.stdout.contains("\"key\":\"\(main)\",\"cause\":\"invalidated\""))
      #expect(try await town.run("cache", "audit", "--fail-on", "missing").exitCode == 10)
      #expect(try await town.run("cache", "audit", "--fail-on", "missing,lost").exitCode == 64)
    }
  }

  /// Thousands of rows and keys, of which more are wrong than are listed: those that are stale before those that are missing.
  @Test func manyFindingsAreCountedAndSomeListed() async throws {
    try await withCachedTown { town in
      try await town.database.sql(
        "insert into users (email) select n || '@example.com' from generate_series(1, 2500) n")
      #expect(try await town.run("cache", "warmup", "--scope", "users").exitCode == 0)
      try await town.database.sql("update users set name = 'x' where email like '1%@example.com'")
      for key in try await town.database.sql("select id from users where email like '24%@example.com'") {
        try await town.command("DEL", .text("user:\(key[0])"))
      }
      let audit = try await town.run("cache", "audit", "--all", "--scope", "users", "--json")
      #expect(audit.exitCode == 10)
      #expect(count("checked", audit) == 2501 && count("missing", audit) == 111)
      #expect(
        count("stale", audit) == 1111 && count("orphaned", audit) == 0 && count("unlisted", audit) == 1122)
      #expect(audit.stdout.matches(of: #/"kind":"stale"/#).count == 100)
      let active = try await town.run(
        "cache", "audit", "--all", "--scope", "users", "--active-within", "1d", "--json")
      #expect(count("missing", active) == 0)
      let sample = try await town.run("cache", "audit", "--sample", "100", "--json", "--scope", "users")
      let checked = try #require(count("checked", sample))
      #expect((100...200).contains(checked))
    }
  }

  @Test func itChangesNothing() async throws {
    try await withCachedTown { town in
      #expect(try await town.run("cache", "warmup", "--scope", "users").exitCode == 0)
      let key = try await town.keyOfAda()
      try await town.command("PERSIST", .text(key))
      let size = try await town.command("DBSIZE").integer()
      #expect(try await town.run("cache", "audit", "--all").exitCode == 10)
      #expect(try await town.run("cache", "audit").exitCode == 10)
      #expect(try await town.command("DBSIZE").integer() == size)
      #expect(try await town.command("PTTL", .text(key)).integer() == -1)
    }
  }

  @Test func wrongUsageIsRefused() async throws {
    for words in [
      ["--all", "--sample", "5"], ["--sample", "0"], ["--scope", "currencies"], ["--active-within", "x"],
    ] {
      let result = try await Ironforge.run(["cache", "audit"] + words)
      #expect(result.exitCode == 64)
    }
  }
}
