import Postgres
import Primitives
import TestSupport
import Testing

/// `doctor` where something is missing: rights, Redis, the primary, a direct connection.
@Suite(.timeLimit(.minutes(3))) struct DoctorPlacesTests {
  private func items(_ result: ProgramResult) throws -> [String: JSON] {
    let elements = try JSON(parsing: Array(result.stdout.utf8))["items"].elements
    return Dictionary(elements.map { ($0["id"].text ?? "", $0) }) { first, _ in first }
  }

  private func run(_ arguments: [String], _ url: String) async throws -> ProgramResult {
    try await Ironforge.run(["doctor", "--database-url", url] + arguments)
  }

  @Test func withoutRedisTheCacheIsNotJudged() async throws {
    try await withTown { town in
      let result = try await run(["--only", "cache", "--json"], town.database.url)
      #expect(result.exitCode == 0, "\(result)")
      let items = try items(result)
      #expect(items.count == 7)
      let redis = try #require(items["redis_reachable"])
      #expect(redis["ok"].boolean == true && redis["judged"].boolean == false)
      #expect(redis["evidence"].text == "not judged: no Redis is configured")
      #expect(items["cache_outbox"]?["judged"].boolean == true)
      let quiet = try await run(["--only", "cache", "--quiet"], town.database.url)
      #expect(quiet.exitCode == 0 && quiet.stdout == "" && quiet.stderr == "", "\(quiet)")
    }
  }

  @Test func pgMonitorIsEnoughAndLessIsSaid() async throws {
    try await withTown { town in
      let role = "doctor_\(town.database.name)"
      try await town.database.sql("create role \(role) login")
      let url = town.database.url.replacing("user=ironforge", with: "user=\(role)")
      let blind = try await run(["--only", "server,application", "--json"], url)
      #expect(blind.exitCode == 10 || blind.exitCode == 0, "\(blind)")
      let hidden = try items(blind)["long_transactions"]
      #expect(hidden?["evidence"].text == "not judged: the role may not see other sessions (pg_monitor)")
      try await town.database.sql("grant pg_monitor to \(role)")
      let seeing = try await run(["--json"], url)
      let items = try items(seeing)
      #expect(items["long_transactions"]?["judged"].boolean == true)
      // Its tables are somebody else's.
      #expect(items["plan_wallet_assets"]?["judged"].boolean == false, "\(seeing)")
      #expect(items["wallet_index"]?["judged"].boolean == true)
      #expect(items["migrations"]?["ok"].boolean == true)
      try await town.database.sql("drop owned by \(role); drop role \(role)")
    }
  }

  @Test func throughAPoolerAndOnAStandby() async throws {
    try await withTown { town in
      try await withPooler(town.database) { url in
        let result = try await run(["--json"], url)
        let items = try items(result)
        #expect(items["plan_pending_transactions"]?["judged"].boolean == true, "\(result)")
        #expect(items["pool_headroom"]?["judged"].boolean == false)
        #expect(items["pool_size"]?["judged"].boolean == false)
        #expect(items["wallet_index"]?["ok"].boolean == true)
      }
    }
    try await withPrivatePostgres { server in
      let town = try await Town(on: server)
      try await withStandby(of: server) { standby in
        let result = try await run(["--json"], standby.url(database: "ironforge"))
        let items = try items(result)
        #expect(
          items["replication_lag"]?["evidence"].text?.hasPrefix("this standby is ") == true, "\(result)")
        #expect(items["wallet_index"]?["ok"].boolean == true)
        let primary = try self.items(try await run(["--json"], town.database.url))
        #expect(primary["replication_lag"]?["evidence"].text?.hasPrefix("1 standbys") == true)
        // These servers are for tests, and lose transfers in a power cut.
        #expect(primary["durability"]?["ok"].boolean == false)
      }
    }
  }

  @Test func anEmptyDatabaseLacksItsMigrations() async throws {
    try await withDatabase { database in
      let result = try await run(["--only", "database", "--json"], database.url)
      #expect(result.exitCode == 10)
      let faults = try items(result).filter { $0.value["ok"].boolean == false }
      #expect(faults.keys.sorted() == ["migrations"])
      #expect(faults["migrations"]?["fix"].text == "ironforge migrate up")
    }
  }

  @Test func csvAndMetricsAndWrongUsage() async throws {
    try await withTown { town in
      let directory = try TemporaryDirectory("doctor")
      let metrics = directory.file("doctor.prom")
      let csv = try await run(["--only", "cache", "-o", "csv", "--metrics-file", metrics], town.database.url)
      #expect(csv.stdout.hasPrefix("id,area,title,ok,judged,evidence,fix,fix_kind\r\n"))
      #expect(csv.stdout.split(separator: "\r\n").count == 8)
      let written = try await Program("/bin/cat", [metrics]).run().stdout
      #expect(
        written.contains("ironforge_last_run_items{command=\"doctor\",file=\"doctor.prom\"} 7"), "\(written)")
      for wrong in [
        ["--only", "disk"], ["--only", ""], ["--cores", "0"], ["--processes", "-1"], ["--disks", "x"],
      ] {
        let result = try await run(wrong, town.database.url)
        #expect(result.exitCode == 64, "\(wrong)")
      }
      let gone = try await run([], "postgresql://127.0.0.1:1/none")
      #expect(gone.exitCode == 69)
    }
  }
}
