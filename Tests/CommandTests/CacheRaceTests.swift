import CacheRace
import Glibc
import Postgres
import Primitives
import TestSupport
import Testing

@testable import Commands

/// `cache race` as its users run it.
@Suite(.timeLimit(.minutes(2))) struct CacheRaceTests {
  private func settings(_ database: TestDatabase, _ server: PrivateRedis) -> [String: String?] {
    ["IRONFORGE_DATABASE_URL": database.url, "IRONFORGE_REDIS_URL": server.url]
  }

  @Test func countsNoStaleRead() async throws {
    try await withDatabase(template: .migrated) { database in
      try await withRedis { server in
        let result = try await Ironforge.run(
          ["cache", "race", "--seconds", "2", "--json"], env: settings(database, server))
        let report = try JSON(parsing: Array(result.stdout.utf8))
        #expect(report["stale"] == .decimal("0"))
        #expect(result.exitCode == 0, "\(result)")
        for name in ["seconds", "reads", "hits", "writes"] {
          let number = Double(report[name]?.plainText ?? "") ?? 0
          #expect(number > 0, "\(name): \(result)")
        }
      }
    }
  }

  /// While a transaction lasts that fences and is older than the vouching, nothing is filled.
  @Test func withoutHitsItProvesNothing() async throws {
    try await withDatabase(template: .migrated) { database in
      try await withRedis { server in
        let holder = try Session(connecting: ConnectionString(database.url))
        defer { holder.close() }
        try holder.simple("begin; select pg_current_xact_id() from \(RaceStatements.mark.setting)")
        let result = try await Ironforge.run(
          ["cache", "race", "--seconds", "1", "--json"], env: settings(database, server))
        #expect(result.exitCode == 1, "\(result)")
        #expect(result.stdout.contains(#""hits":0,"#))
        #expect(result.stderr.contains("race_without_hits") && result.stderr.contains("long transactions"))
      }
    }
  }

  /// Built for tests, it can race without fences.
  @Test func namesStaleReads() async throws {
    try await withDatabase(template: .migrated) { database in
      try await withRedis { server in
        var environment = settings(database, server)
        environment["IRONFORGE_RACE_FENCES"] = "off"
        let result = try await Ironforge.run(["cache", "race", "--seconds", "3"], env: environment)
        #expect(result.exitCode == 10, "\(result)")
        #expect(result.stdout.contains(" was served after version "))
        #expect(result.stdout.hasSuffix(" hits were STALE.\n"))
      }
    }
  }

  @Test func aSignalEndsItWithTheFiguresSoFar() async throws {
    try await withDatabase(template: .migrated) { database in
      try await withRedis { server in
        let running = try await Ironforge.start(
          ["cache", "race", "--seconds", "600", "--json"], env: settings(database, server))
        let deadline = Deadline.after(.seconds(30))
        let writes = "select coalesce(sum(version), 0) > 5 from ironforge.race_rows"
        while try await database.sql(writes) != [["t"]], !deadline.hasPassed {
          try await Task.sleep(for: .milliseconds(50))
        }
        try running.signal(SIGINT)
        let result = try await running.finish()
        #expect(result.exitCode == 130, "\(result)")
        #expect(result.stdout.contains(#""stale":0"#))
        #expect(try await database.sql("select count(*) from ironforge.race_rows") == [["0"]])
      }
    }
  }

  @Test func saysWhatIsMissing() async throws {
    try await withDatabase { database in
      try await withRedis { server in
        let bare = try await Ironforge.run(["cache", "race"], env: settings(database, server))
        #expect(bare.exitCode == 78 && bare.stderr.contains("migrate up"), "\(bare)")
        var environment = settings(database, server)
        environment["IRONFORGE_REDIS_URL"] = "unix:///nonexistent/redis.sock"
        let alone = try await Ironforge.run(["cache", "race"], env: environment)
        #expect(alone.exitCode == 69, "\(alone)")
        let endless = try await Ironforge.run(["cache", "race", "--seconds", "0"], env: environment)
        #expect(endless.exitCode == 64)
      }
    }
  }
}
