import Postgres
import Primitives
import Redis
import Sandbox
import TestSupport
import Testing

/// `doctor` on real servers: nothing on a healthy backend, and each fault by itself, which what it prints mends.
@Suite(.timeLimit(.minutes(5))) struct DoctorTests {
  /// A backend with servers of its own.
  struct Clinic: Sendable {
    let server: PrivatePostgres
    let redis: PrivateRedis
    /// What these programs of PostgreSQL came without, and nothing can mend.
    let missing: Set<String>

    func run(_ arguments: [String], env: [String: String] = [:], url: String? = nil) async throws
      -> ProgramResult
    {
      var environment = env.mapValues { Optional($0) }
      environment["IRONFORGE_DATABASE_URL"] = url ?? server.url
      environment["IRONFORGE_REDIS_URL"] = redis.url
      return try await Ironforge.run(arguments, env: environment)
    }

    func tellRedis(_ name: String, _ words: Argument...) async throws {
      let url = redis.url
      _ = try await blocking {
        try Redis.Session(connecting: Endpoint(url: url)).execute(Command([.text(name)] + words))
      }
    }

    /// The items that are not ok, by id, with what mends them.
    func faults(
      _ arguments: [String] = [], env: [String: String] = [:], url: String? = nil
    ) async throws -> [String: Fix] {
      let result = try await run(["doctor", "--json"] + arguments, env: env, url: url)
      let document = try JSON(parsing: Array(result.stdout.utf8))
      var faults: [String: Fix] = [:]
      for item in document["items"].elements where item["ok"].boolean == false {
        faults[item["id"].text ?? ""] = Fix(kind: item["fix_kind"].text ?? "", text: item["fix"].text ?? "")
      }
      guard result.exitCode == (faults.isEmpty ? 0 : 10), document["ok"].boolean == faults.isEmpty else {
        throw TestFailure("exit \(result.exitCode): \(result.stdout) \(result.stderr)")
      }
      return faults.filter { !missing.contains($0.key) }
    }

    /// Runs what an item says, as a person would.
    func mend(_ fix: Fix) async throws {
      switch fix.kind {
      case "sql": try await server.sql(fix.text)
      default:
        let words = fix.text.split(separator: " ").map(String.init)
        guard words.first == "ironforge" else { throw TestFailure("not run here: \(fix.text)") }
        let result = try await run(Array(words.dropFirst()))
        guard result.exitCode == 0 else { throw TestFailure("\(fix.text): \(result)") }
      }
    }
  }

  struct Fix: Sendable {
    let kind: String
    let text: String
  }

  private func withClinic(_ body: (Clinic) async throws -> Void) async throws {
    let options = SandboxOptions(servers: [.postgres], sharedBuffersMiB: 32, timeout: .seconds(120))
    try await withPrivatePostgres(options: options) { server in
      let redis = try await PrivateRedis()
      let outcome: Result<Void, any Error>
      do {
        let known = try await server.sql(
          "select name from pg_available_extensions where name = 'pg_stat_statements'")
        let clinic = Clinic(
          server: server, redis: redis, missing: known.isEmpty ? ["statement_statistics"] : [])
        for arguments in [
          ["migrate", "up", "--quiet"],
          ["fixtures", "generate", "--users", "60", "--wallets", "100", "--transfers", "500", "--quiet"],
          ["db", "analyze", "--execute", "--quiet"], ["cache", "warmup", "--scope", "users", "--quiet"],
        ] {
          let result = try await clinic.run(arguments)
          guard result.exitCode == 0 else { throw TestFailure("\(arguments): \(result)") }
        }
        outcome = .success(try await body(clinic))
      } catch {
        outcome = .failure(error)
      }
      try await redis.destroy()
      try outcome.get()
    }
  }

  /// Each by itself: how it is done, and which item tells it.
  private static let wounds: [(id: String, sql: String)] = [
    ("wallet_index", "drop index idx_tx_wallet_status_time"),
    ("plan_active_users", "drop index users_last_login"),
    (
      "invalid_indexes",
      """
      create index broken on users (name);
      update pg_index set indisvalid = false where indexrelid = 'broken'::regclass
      """
    ),
    (
      "stale_statistics",
      """
      create table notes (a int) with (autovacuum_enabled = off);
      insert into notes select generate_series(1, 5000);
      select pg_stat_force_next_flush();
      """
    ),
    (
      "cache_outbox",
      "insert into ironforge.cache_outbox (keys, created_at) values ('{user:1}', now() - interval '1 hour')"
    ),
    ("autovacuum", "alter system set autovacuum = off; select pg_reload_conf()"),
    ("track_counts", "alter system set track_counts = off; select pg_reload_conf()"),
    (
      "durability",
      "alter system set fsync = off; alter system set synchronous_commit = off; select pg_reload_conf()"
    ),
    ("statement_statistics", "drop extension pg_stat_statements"),
  ]

  @Test func eachFaultIsToldAloneAndItsFixMendsIt() async throws {
    try await withClinic { clinic in
      #expect(try await clinic.faults().keys.sorted() == [])
      for (id, sql) in Self.wounds where !clinic.missing.contains(id) {
        try await clinic.server.sql(sql)
        let faults = try await faults(of: clinic) { $0[id] != nil }
        #expect(faults.keys.sorted() == [id])
        try await clinic.mend(try #require(faults[id]))
        let mended = try await self.faults(of: clinic) { $0.isEmpty }
        #expect(mended.keys.sorted() == [], "after \(faults)")
      }
    }
  }

  /// A reload takes its moment.
  private func faults(
    of clinic: Clinic, until isDone: ([String: Fix]) -> Bool
  ) async throws -> [String: Fix] {
    let deadline = Deadline.after(.seconds(10))
    while true {
      let faults = try await clinic.faults()
      if isDone(faults) || deadline.hasPassed { return faults }
      try await Task.sleep(for: .milliseconds(200))
    }
  }

  @Test func theCacheAndThePoolAreJudged() async throws {
    try await withClinic { clinic in
      try await clinic.tellRedis("FLUSHALL")
      let faults = try await clinic.faults()
      #expect(faults.keys.sorted() == ["cache_warmth"])
      try await clinic.mend(try #require(faults["cache_warmth"]))
      #expect(try await clinic.faults().keys.sorted() == [])

      try await clinic.tellRedis("CONFIG", "SET", "maxmemory", "1000000")
      let full = try await clinic.faults(["--only", "cache"])
      #expect(full.keys.sorted() == ["redis_memory"])
      #expect(full["redis_memory"]?.text == "redis-cli CONFIG SET maxmemory-policy allkeys-lru")
      try await clinic.tellRedis("CONFIG", "SET", "maxmemory", "0")

      let small = try await clinic.faults(["--cores", "2"], env: ["IRONFORGE_DATABASE_MAX_CONNECTIONS": "2"])
      #expect(small.keys.sorted() == ["pool_size"])
      #expect(small["pool_size"]?.text.hasPrefix("export IRONFORGE_DATABASE_MAX_CONNECTIONS=5 ") == true)
      let mended = try await clinic.faults(
        ["--cores", "2"], env: ["IRONFORGE_DATABASE_MAX_CONNECTIONS": "5"])
      #expect(mended.keys.sorted() == [])
      #expect(try await clinic.faults(["--processes", "500"]).keys.sorted() == ["pool_headroom"])

      try await clinic.redis.stop()
      let away = try await clinic.faults(["--only", "cache"])
      #expect(away.keys.sorted() == ["redis_reachable"])
    }
  }

  @Test func whatTheServerCountsIsJudged() async throws {
    try await withClinic { clinic in
      let single = Array(
        repeating: "select name from wallets where id = '00000000-0000-7000-8000-000000000000';", count: 1200)
      let slow = Array(repeating: "select pg_sleep(0.004);", count: 110)
      try await clinic.server.sql((single + slow).joined(separator: "\n"))
      try await clinic.server.sql(
        "select name from wallets where id = any('{00000000-0000-7000-8000-000000000000}')")
      let targets = ["IRONFORGE_TARGETS_P50_MS": "1", "IRONFORGE_TARGETS_P95_MS": "3"]
      let found = try await clinic.faults(["--only", "application"], env: targets)
      #expect(found.keys.sorted() == ["batching", "slow_statements"])
      #expect(try await clinic.faults(["--only", "application"]).keys.sorted() == ["batching"])
      try await clinic.server.sql("select pg_stat_statements_reset()")
      #expect(try await clinic.faults(["--only", "application"], env: targets).keys.sorted() == [])
    }
  }

  /// Everything at once, and sessions that hold each other up; a person reads it, and cron mails it.
  @Test func aBadDatabaseIsNamedFaultByFault() async throws {
    try await withClinic { clinic in
      let idle = try Postgres.Session(connecting: ConnectionString(clinic.server.url))
      try idle.simple("begin; update users set name = 'x'")
      let waiter = Task {
        // Ends when its place in the queue does.
        _ = try? await clinic.server.sql("update users set name = 'y'")
      }
      for id in ["wallet_index", "invalid_indexes", "stale_statistics", "cache_outbox"] {
        let sql = try #require(Self.wounds.first { $0.id == id }?.sql)
        // An index of users would wait behind the idle session.
        try await clinic.server.sql(sql.replacing("on users (name)", with: "on currencies (scale)"))
      }
      try await clinic.tellRedis("FLUSHALL")
      try await Task.sleep(for: .seconds(11))
      let small = ["IRONFORGE_DATABASE_MAX_CONNECTIONS": "2"]
      let faults = try await clinic.faults(["--cores", "4"], env: small)
      #expect(
        faults.keys.sorted() == [
          "cache_outbox", "cache_warmth", "idle_in_transaction", "invalid_indexes", "lock_waits", "pool_size",
          "stale_statistics", "wallet_index",
        ])
      let pid = idle.backendPID
      #expect(faults["idle_in_transaction"]?.text == "select pg_terminate_backend(\(pid));")
      #expect(faults["lock_waits"]?.text == "select pg_terminate_backend(\(pid));")
      try await clinic.mend(try #require(faults["idle_in_transaction"]))
      await waiter.value
      let rest = try await clinic.faults(["--only", "server"])
      #expect(rest.keys.sorted() == [])

      let mail = try await clinic.run(["doctor", "--quiet", "--only", "cache"])
      #expect(mail.exitCode == 10 && mail.stderr == "", "\(mail)")
      #expect(
        mail.stdout.hasPrefix("CACHE\n  NOT OK  Invalidations that wait in the outbox: 1, the oldest for"))
      #expect(mail.stdout.contains("          shell: ironforge cache warmup --scope users\n"))
      #expect(!mail.stdout.contains("  ok  ") && !mail.stdout.contains("checks"))
      idle.close()
    }
  }
}
