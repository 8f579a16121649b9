import Redis
import TestSupport
import Testing

/// The cache's commands while a server is away, or none is configured.
@Suite(.timeLimit(.minutes(3)))
struct CacheTroubleTests {
  private static let nowhere = "redis://127.0.0.1:1"
  private static let noDatabase = "postgresql://127.0.0.1:1/none"

  @Test func withoutRedisReadsGoToTheDatabase() async throws {
    try await withTown { town in
      let env = ["IRONFORGE_REDIS_URL": Self.nowhere]
      let id = try await town.database.sql("select id from users").first?.first ?? ""
      let read = try await town.run("cache", "get", "user:\(id)", "--json", env: env)
      #expect(read.exitCode == 0 && value("tier", in: read.stdout) == "database")
      #expect(value("ttl_ms", in: read.stdout) == "null")
      #expect(
        read.stderr.contains("{\"warning\":{\"message\":\"")
          && value("code", in: read.stderr) == "redis_unreachable")
      for words in [["audit"], ["warmup"], ["invalidate", "user:\(id)"]] {
        let result = try await town.run(["cache"] + words + ["--json"], env: env)
        #expect(result.exitCode == 69 && value("code", in: result.stderr) == "redis_unreachable")
        #expect(result.stdout == "")
      }
      let stats = try await town.run("cache", "stats", "--json", env: env)
      #expect(
        stats.exitCode == 69
          && stats.stdout.hasPrefix("{\"redis\":null,\"ironforge\":{\"l1\":null,\"l2\":null}"))
      #expect(stats.stdout.contains("\"outbox\":{\"pending\":0,"))
      let text = try await town.run("cache", "stats", env: env)
      #expect(text.exitCode == 69 && text.stdout.contains("outbox: empty"))
    }
  }

  @Test func withoutADatabaseRedisAnswersWhatItCan() async throws {
    try await withCachedTown { town in
      let key = try await town.keyOfAda()
      #expect(try await town.run("cache", "get", key).exitCode == 0)
      let read = try await town.run("cache", "get", key, "--json", url: Self.noDatabase)
      #expect(read.exitCode == 0 && value("tier", in: read.stdout) == "l2")
      let other = try await town.run(
        "cache", "get", "user:00000000-0000-7000-8000-000000000001", "--json", url: Self.noDatabase)
      #expect(other.exitCode == 69 && value("code", in: other.stderr) == "database_unreachable")
      for words in [["audit"], ["warmup"]] {
        let result = try await town.town.run(
          ["cache"] + words + ["--json"], url: Self.noDatabase, env: ["IRONFORGE_REDIS_URL": town.redis.url])
        #expect(result.exitCode == 69 && value("code", in: result.stderr) == "database_unreachable")
      }
      let stats = try await town.run("cache", "stats", "--json", url: Self.noDatabase)
      #expect(stats.exitCode == 69 && stats.stdout.contains("\"outbox\":null"))
      // Taken out all the same, and the user is told what that does not cover.
      let gone = try await town.run("cache", "invalidate", key, "--json", url: Self.noDatabase)
      #expect(gone.exitCode == 0)
      #expect(gone.stdout == "{\"keys\":1,\"deleted\":1,\"fenced\":false,\"executed\":true}\n")
      #expect(gone.stderr.contains("without a fence"))
      #expect(try await town.command("EXISTS", .text(key)).integer() == 0)
    }
  }

  @Test func withoutAConfiguredRedisTheyAreRefused() async throws {
    try await withTown { town in
      for words in [["audit"], ["warmup"], ["invalidate", "user:1"], ["stats"]] {
        let result = try await town.run(["cache"] + words + ["--json"])
        #expect(result.exitCode == 78, "\(words) \(result.stderr)")
      }
    }
  }

  /// A cache without memory: nothing is lost but speed.
  @Test func aFullRedisIsToldApart() async throws {
    try await withCachedTown { town in
      try await town.command("CONFIG", "SET", "maxmemory", "1")
      let result = try await town.run("cache", "warmup", "--json")
      #expect(result.exitCode != 0 && value("code", in: result.stderr) == "redis_oom")
      let read = try await town.run("cache", "get", try await town.keyOfAda(), "--json")
      #expect(read.exitCode == 0 && value("tier", in: read.stdout) == "database")
    }
  }

  /// Another program's list under the name of a row: nobody deletes it, and nobody stumbles over it.
  @Test func whatIsNoValueStaysAndIsNamed() async throws {
    try await withCachedTown { town in
      let key = try await town.keyOfAda()
      try await town.command("RPUSH", .text(key), "theirs")
      let warm = try await town.run("cache", "warmup", "--json")
      #expect(warm.exitCode == 0 && value("refused", in: warm.stdout) == "1", "\(warm.stderr)")
      #expect(value("written", in: warm.stdout) == "3")
      #expect(try await town.run("cache", "warmup", "--dry-run").exitCode == 0)
      let read = try await town.run("cache", "get", key, "--json")
      #expect(read.exitCode == 0 && value("tier", in: read.stdout) == "database")
      #expect(read.stderr.contains("holds something else than a value"))
      let audit = try await town.run("cache", "audit", "--all", "--json")
      #expect(audit.stdout.contains("{\"kind\":\"stale\",\"key\":\"\(key)\",\"cause\":\"foreign_type\""))
      #expect(try await town.command("LLEN", .text(key)).integer() == 1)
    }
  }

  /// Behind PgBouncer in transaction mode, where nothing may be left behind on a connection.
  @Test func everyCommandWorksThroughAPooler() async throws {
    try await withCachedTown { town in
      try await withPooler(town.database) { url in
        let key = try await town.keyOfAda()
        let warm = try await town.run("cache", "warmup", "--json", url: url)
        #expect(warm.exitCode == 0 && value("written", in: warm.stdout) == "4", "\(warm.stderr)")
        #expect(try await town.run("cache", "audit", "--all", url: url).exitCode == 0)
        #expect(try await town.run("cache", "audit", url: url).exitCode == 0)
        #expect(try await town.run("cache", "invalidate", key, url: url).exitCode == 0)
        let read = try await town.run("cache", "get", key, "--json", url: url)
        #expect(read.exitCode == 0 && value("tier", in: read.stdout) == "database")
        #expect(try await town.run("cache", "stats", url: url).exitCode == 0)
      }
    }
  }
}
