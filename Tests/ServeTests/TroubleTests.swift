import Glibc
import Synchronization
import TestSupport
import Testing

/// Clients, servers and operators that make trouble.
@Suite struct ServeTroubleTests {
  @Test func whatIsTooLargeIsRefused() async throws {
    try await withService { service in
      let long = String(repeating: "x", count: 20_000)
      let header = try await service.get("/api/health", ["-H", "x-long: \(long)"])
      #expect(header.status == 431)
      #expect(value("code", in: header.body) == "header_too_large")
      let body = try await service.raw(
        #"printf 'POST /api/health HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n' >&3; head -c 100000 /dev/zero >&3"#
      )
      #expect(body.stdout.hasPrefix("HTTP/1.1 413 "))
      let noise = try await service.raw(#"printf 'no request at all\r\n\r\n' >&3"#)
      #expect(noise.stdout.hasPrefix("HTTP/1.1 400 ") && noise.stdout.contains("request_malformed"))
      #expect(try await service.get("/api/health").status == 200)
    }
  }

  @Test func aSlowClientIsHungUpOn() async throws {
    try await withService { service in
      // A byte now and then does not buy time: 124 would be the time-out of the test.
      async let header = service.raw(
        #"printf 'GET /api/health HT' >&3; for i in 1 2 3 4; do sleep 1; printf T >&3 || break; done"#,
        seconds: 25)
      async let preface = service.raw(#"printf 'PRI * HTTP/2' >&3"#, seconds: 25)
      async let silent = service.raw("true", seconds: 25)
      for result in try await [header, preface, silent] {
        #expect(result.exitCode != 124)
        #expect(!result.stdout.contains("200"))
      }
    }
  }

  @Test func aRequestInFlightEndsBeforeTheService() async throws {
    try await withService(["--drain-timeout", "20"]) { service in
      let database = service.town.database
      async let lock = database.sql(
        "begin; lock table wallets in access exclusive mode; select pg_sleep(4); commit")
      try await waitForLock(database)
      async let answer = service.get("/api/v1/wallets")
      try await waitForLock(database, granted: false)
      try service.program.signal(SIGTERM)
      // Nobody is accepted any more, while the request waits.
      for _ in 0..<100 where try await service.get("/api/health").exitCode == 0 {
        try await Task.sleep(for: .milliseconds(20))
      }
      #expect(try await service.get("/api/health").exitCode == 7)
      #expect(try await answer.status == 200)
      let result = try await service.program.finish()
      #expect(result.exitCode == 0)
      #expect(result.stderr.contains("stopping: 1 requests in flight"))
      _ = try await lock
    }
  }

  @Test func aDrainHasABound() async throws {
    try await withService(["--drain-timeout", "1"]) { service in
      let database = service.town.database
      async let lock = database.sql(
        "begin; lock table wallets in access exclusive mode; select pg_sleep(4); commit")
      try await waitForLock(database)
      async let answer = service.get("/api/v1/wallets")
      try await waitForLock(database, granted: false)
      try service.program.signal(SIGTERM)
      let result = try await service.program.finish()
      #expect(result.exitCode == 75)
      #expect(result.stderr.contains("were cut off"))
      #expect(try await answer.status == 0)
      _ = try await lock
    }
  }

  /// Until somebody holds the lock of the table, or waits for it.
  private func waitForLock(_ database: TestDatabase, granted: Bool = true) async throws {
    for _ in 0..<200 {
      let count = try await database.sql(
        "select count(*) from pg_locks where relation = 'wallets'::regclass and "
          + (granted ? "mode = 'AccessExclusiveLock' and granted" : "not granted")
      ).first?.first
      if count != "0" { return }
      try await Task.sleep(for: .milliseconds(20))
    }
    throw TestFailure("nobody \(granted ? "holds" : "waits for") the lock")
  }

  @Test func readinessTurnsBeforeTheServiceEnds() async throws {
    try await withService(["--drain-delay", "2"]) { service in
      try service.program.signal(SIGTERM)
      try await Task.sleep(for: .milliseconds(300))
      let ready = try await service.get("/api/ready")
      #expect(ready.status == 503 && value("status", in: ready.body) == "draining")
      #expect(try await service.get("/api/v1/wallets").status == 200)
      #expect(try await service.program.finish().exitCode == 0)
    }
  }

  private func readiness(_ service: Service, until status: String) async throws -> Service.Answer {
    var answer = try await service.get("/api/ready")
    for _ in 0..<150 where value("status", in: answer.body) != status {
      try await Task.sleep(for: .milliseconds(100))
      answer = try await service.get("/api/ready")
    }
    return answer
  }

  @Test func withoutRedisTheDatabaseAnswers() async throws {
    try await withService { service in
      #expect(try await readiness(service, until: "ready").status == 200)
      let id = try await service.wallet("main")
      try await service.redis.stop()
      let degraded = try await readiness(service, until: "degraded")
      #expect(degraded.status == 200)
      #expect(degraded.body.contains("\"redis\":{\"status\":\"down\""))
      let answer = try await service.get("/api/v1/wallets/\(id)")
      #expect(answer.status == 200 && answer.headers["ironforge-tier"] == "database")
      #expect(try await service.get("/api/v1/wallets").status == 200)
      try await service.redis.start()
      #expect(try await readiness(service, until: "ready").status == 200)
    }
  }

  @Test func withoutPostgresItIsNotReady() async throws {
    try await withService(route: { _ in "postgresql://nobody@127.0.0.1:1/x" }) { service in
      let down = try await readiness(service, until: "down")
      #expect(down.status == 503 && down.headers["retry-after"] == "1")
      #expect(down.body.contains("\"redis\":{\"status\":\"up\""))
      let answer = try await service.get("/api/v1/wallets")
      #expect(answer.status == 503)
      // Clients are told no hosts; the log is.
      #expect(!answer.body.contains("127.0.0.1"))
      #expect(try await service.get("/api/health").status == 200)
    }
  }

  @Test func whatIsCachedOutlivesPostgres() async throws {
    let proxies = Mutex<[Proxy]>([])
    try await withService(route: { town in
      let proxy = try Proxy(to: town.database.address)
      proxies.withLock { $0.append(proxy) }
      return proxy.url(database: town.database.name)
    }) { service in
      let cached = "/api/v1/wallets/\(try await service.wallet("main"))"
      let other = "/api/v1/wallets/\(try await service.wallet("savings"))"
      #expect(try await service.get(cached, until: "l1").status == 200)
      for proxy in proxies.withLock({ $0 }) {
        proxy.accept(false)
        proxy.cutAll()
      }
      #expect(try await readiness(service, until: "down").status == 503)
      #expect(try await service.get(cached).status == 200)
      let missing = try await service.get(other)
      #expect(missing.status == 503 && missing.headers["retry-after"] == "1")
      for proxy in proxies.withLock({ $0 }) { proxy.accept(true) }
      #expect(try await readiness(service, until: "ready").status == 200)
      #expect(try await service.get(other).status == 200)
    }
  }

  @Test(arguments: ["", "ignore_startup_parameters = options"])
  func itServesThroughAPooler(settings: String) async throws {
    try await withService { direct in
      let id = try await direct.wallet("main")
      try await withPooler(direct.town.database, settings: settings + "\ndefault_pool_size = 2") { url in
        let port = try PrivateRedis.freePort()
        let program = try await Ironforge.start(
          ["serve", "--listen", "127.0.0.1:\(port)"],
          env: ["IRONFORGE_DATABASE_URL": url, "IRONFORGE_REDIS_URL": direct.redis.url])
        defer { program.kill() }
        let service = Service(town: direct.town, redis: direct.redis, port: port, program: program)
        #expect(try await readiness(service, until: "ready").status == 200)
        // More often than there are connections of the server, so that these change.
        for _ in 0..<10 {
          #expect(try await service.get("/api/v1/wallets").status == 200)
          #expect(try await service.get("/api/v1/wallets/\(id)").status == 200)
          #expect(try await service.get("/api/v1/wallets/ada@example.com%2Fmain").status == 200)
        }
        try service.program.signal(SIGTERM)
        #expect(try await service.program.finish().exitCode == 0)
      }
    }
  }

  @Test func aClientThatHangsUpIsNoFault() async throws {
    try await withService { service in
      let database = service.town.database
      async let lock = database.sql(
        "begin; lock table wallets in access exclusive mode; select pg_sleep(3); commit")
      try await waitForLock(database)
      let gone = try await service.get("/api/v1/wallets", ["--max-time", "1"])
      #expect(gone.exitCode == 28)
      _ = try await lock
      var metrics = ""
      for _ in 0..<200 where !metrics.contains("status=\"499\"} 1\n") {
        metrics = try await service.get("/metrics").body
        try await Task.sleep(for: .milliseconds(20))
      }
      #expect(metrics.contains("route=\"/api/v1/wallets\",status=\"499\"} 1\n"))
      #expect(metrics.contains("\nironforge_http_requests_in_flight 1\n"))
    }
  }

  @Test func withoutTheSecondProgramItSaysWhatIsMissing() async throws {
    let directory = try TemporaryDirectory("alone")
    let copied = try await Program("/bin/cp", [try Ironforge.path(), directory.file("ironforge")]).run()
    try #require(copied.exitCode == 0)
    let result = try await Program(
      "/usr/bin/env",
      ["-i", "PATH=/nowhere", directory.file("ironforge"), "serve", "--json"]
        + ["--database-url", "postgresql://x", "--redis-url", "redis://x"]
    ).run()
    #expect(result.exitCode == 78)
    #expect(value("code", in: result.stderr) == "serve_not_installed")
    #expect(result.stderr.contains("make install"))
  }

  @Test func aTakenPortIsToldApart() async throws {
    try await withService { service in
      let second = try await Ironforge.run(
        ["serve", "--listen", "127.0.0.1:\(service.port)", "--json"],
        env: ["IRONFORGE_DATABASE_URL": service.town.database.url, "IRONFORGE_REDIS_URL": service.redis.url])
      #expect(second.exitCode == 69)
      #expect(value("code", in: second.stderr) == "listen_failed")
    }
  }

  @Test func systemdIsTold() async throws {
    let directory = try TemporaryDirectory("notify")
    let path = directory.file("n")
    let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let bound = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    try #require(bound == 0)
    try await withService(env: ["NOTIFY_SOCKET": path, "WATCHDOG_USEC": "200000"]) { service in
      try await Task.sleep(for: .milliseconds(500))
      try service.program.signal(SIGTERM)
      #expect(try await service.program.finish().exitCode == 0)
    }
    var messages: [String] = []
    var buffer = [UInt8](repeating: 0, count: 512)
    while true {
      let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
      if count <= 0 { break }
      messages.append(String(decoding: buffer[..<count], as: UTF8.self))
    }
    #expect(messages.contains { $0.hasPrefix("READY=1\n") })
    #expect(messages.count { $0 == "WATCHDOG=1" } >= 3)
    #expect(messages.last { !$0.hasPrefix("WATCHDOG") } == "STOPPING=1")
  }
}
