import Primitives
import TestSupport
import Testing

/// What clients see of a healthy service.
@Suite struct ServiceTests {
  @Test func walletsAreReadThroughTheCache() async throws {
    try await withService { service in
      let id = try await service.wallet("main")
      let path = "/api/v1/wallets/\(id)"
      let first = try await service.get(path)
      #expect(first.status == 200)
      #expect(first.headers["ironforge-tier"] == "database")
      #expect(first.headers["content-type"] == "application/json")
      #expect(value("id", in: first.body) == id)
      // As soon as Redis is vouched for the value is there, and in memory after it was read there.
      var tiers: Set<String> = []
      for _ in 0..<200 where !tiers.contains("l1") {
        let next = try await service.get(path)
        #expect(next.body == first.body)
        tiers.insert(next.headers["ironforge-tier"] ?? "")
        try await Task.sleep(for: .milliseconds(20))
      }
      #expect(tiers.isSuperset(of: ["l1", "l2"]))
      let address = "0x00000000000000000000000000000000000000ab"
      let made = try await service.town.run(
        "wallet", "create", "--user", "ada@example.com", "--name", "cold", "--address", address)
      #expect(made.exitCode == 0)
      let byAddress = try await service.get("/api/v1/wallets/\(address)")
      #expect(byAddress.status == 200 && value("address", in: byAddress.body) == address)
      let upper = "0X" + address.dropFirst(2).uppercased()
      for name in [upper, String(address.dropFirst(2)), "ada@example.com%2Fcold"] {
        #expect(try await service.get("/api/v1/wallets/\(name)").body == byAddress.body, "\(name)")
      }
      for unknown in [
        "01a20832-395e-76d4-adde-54fe7b27bfd7", "0xdead", "nobody", "a%2Fb", "ada@example.com%2Fx",
      ] {
        let answer = try await service.get("/api/v1/wallets/\(unknown)")
        #expect(answer.status == 404)
        #expect(value("code", in: answer.body) == "wallet_not_found")
      }
    }
  }

  @Test func aTransferIsSeenAtOnce() async throws {
    try await withService { service in
      let path = "/api/v1/wallets/\(try await service.wallet("savings"))"
      for round in 1...5 {
        _ = try await service.get(path, until: "l1")
        let sent = try await service.town.run(
          ["transfer", "--from", "ada@example.com/bank", "--to", "ada@example.com/savings"]
            + ["--amount", "1.00", "--currency", "USD"], env: ["IRONFORGE_REDIS_URL": service.redis.url])
        #expect(sent.exitCode == 0)
        let seen = try await service.get(path)
        #expect(value("balance", in: seen.body) == "\(round).00", "\(seen.headers["ironforge-tier"] ?? "")")
      }
    }
  }

  @Test func aWalletIsTheSameAloneInAListAndInTheShell() async throws {
    try await withService { service in
      let sent = try await service.town.run(
        ["transfer", "--from", "ada@example.com/bank", "--to", "ada@example.com/main"]
          + ["--amount", "2.50", "--currency", "USD"], env: ["IRONFORGE_REDIS_URL": service.redis.url])
      #expect(sent.exitCode == 0)
      let alone = try await service.get("/api/v1/wallets/\(try await service.wallet("main"))").body
      let list = try await service.get("/api/v1/wallets").body
      let shell = try await service.town.run("wallet", "list", "--json").stdout
      #expect(alone.contains("\"balance\":\"2.50\"") && alone.hasSuffix("}\n"))
      #expect(list.contains(alone.dropLast()))
      #expect(shell.contains(alone))
    }
  }

  @Test func aListIsStableWhileWalletsAreMade() async throws {
    try await withService { service in
      var seen: [String] = []
      var query = "?limit=1"
      for round in 0..<20 {
        let page = try await service.get("/api/v1/wallets\(query)").body
        seen += page.matches(of: #/"id":"(?<id>[^"]+)"/#).map { String($0.output.id) }
        let made = try await service.town.run(
          "wallet", "create", "--user", "ada@example.com", "--name", "new\(round)")
        #expect(made.exitCode == 0)
        guard let cursor = value("next_cursor", in: page), cursor != "null" else { break }
        query = "?limit=1&cursor=\(cursor)"
      }
      let first = try await service.town.database.sql(
        "select id from wallets where name not like 'new%' order by created_at desc, id desc")
      #expect(seen == first.compactMap(\.first))
    }
  }

  @Test func listsGoOnWhereTheyEnded() async throws {
    try await withService { service in
      let whole = try await service.get("/api/v1/wallets")
      let cli = try await service.town.run("wallet", "list", "--json")
      let rows = cli.stdout.split(separator: "\n").map(String.init)
      #expect(rows.count > 2)
      #expect(rows.allSatisfy(whole.body.contains))
      let first = try await service.get("/api/v1/wallets?limit=1")
      let cursor = try #require(value("next_cursor", in: first.body))
      let second = try await service.get("/api/v1/wallets?limit=1&cursor=\(cursor)")
      #expect(first.body.contains(rows[0]) && !first.body.contains(rows[1]))
      #expect(second.body.contains(rows[1]) && !second.body.contains(rows[0]))
      let mine = try await service.get("/api/v1/wallets?user=ada%40example.com&status=active")
      #expect(mine.status == 200)
      for query in [
        "limit=0", "limit=x", "limit=1001", "cursor=x", "status=x", "x=1", "user=%zz", "user=%00",
        "limit=1&limit=1",
      ] {
        let answer = try await service.get("/api/v1/wallets?\(query)")
        #expect(answer.status == 400, "\(query)")
        #expect(answer.body.hasPrefix("{\"error\":{\"code\":"), "\(query)")
      }
      #expect(try await service.get("/api/v1/wallets?user=nobody").status == 404)
    }
  }

  @Test func versionsCompressionAndTagsAreNegotiated() async throws {
    try await withService { service in
      let list = "/api/v1/wallets"
      _ = try await service.town.database.sql(
        "insert into wallets (user_id, name) select id, 'more-' || n from users, generate_series(1, 9) n")
      let plain = try await service.get(list, ["--http1.1"])
      let second = try await service.get(list, ["--http2-prior-knowledge", "--compressed"])
      #expect(plain.version == "1.1" && second.version == "2")
      #expect(plain.headers["content-encoding"] == nil)
      #expect(second.headers["content-encoding"] == "gzip")
      #expect(second.headers["vary"] == "accept-encoding")
      #expect(second.body == plain.body)
      let small = try await service.get("/api/health", ["--compressed"])
      #expect(small.headers["content-encoding"] == nil)
      let tag = try #require(plain.headers["etag"])
      #expect(second.headers["etag"] == tag)
      let same = try await service.get(list, ["-H", "If-None-Match: \(tag)"])
      #expect(same.status == 304 && same.body.isEmpty)
      let head = try await service.get(list, ["-I"])
      #expect(head.headers["content-length"] == plain.headers["content-length"])
      for version in ["--http1.1", "--http2-prior-knowledge"] {
        let post = try await service.get(list, [version, "-X", "POST", "-d", "{}"])
        #expect(post.status == 405 && post.headers["allow"] == "GET, HEAD")
      }
      // Both over one connection each.
      let twice = try await Program(
        "/usr/bin/curl", ["-sv"] + [list, "/api/health"].map { "http://127.0.0.1:\(service.port)\($0)" }
      ).run()
      #expect(twice.stderr.contains("Re-using existing connection"))
    }
  }

  @Test func tlsNegotiatesTheVersion() async throws {
    let directory = try TemporaryDirectory("tls")
    let (certificate, key) = (directory.file("cert.pem"), directory.file("key.pem"))
    let made = try await Program(
      "/usr/bin/openssl",
      ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "1"]
        + ["-out", certificate, "-keyout", key]
    ).run()
    #expect(made.exitCode == 0)
    let options = ["--tls-cert", certificate, "--tls-key", key]
    try await withService(options, scheme: "https") { service in
      #expect(try await service.get("/api/v1/wallets").version == "2")
      let old = try await service.get("/api/v1/wallets", ["--http1.1"])
      #expect(old.version == "1.1" && old.status == 200)
    }
    let broken = try await Ironforge.run(
      ["serve", "--listen", "127.0.0.1:1", "--tls-cert", key, "--tls-key", key],
      env: ["IRONFORGE_DATABASE_URL": "postgresql://x", "IRONFORGE_REDIS_URL": "redis://x"])
    #expect(broken.exitCode == 78)
    #expect(broken.stderr.contains("cannot be used"))
  }

  @Test func aTokenIsAskedFor() async throws {
    let token = "0123456789abcdef0123456789abcdef"
    try await withService(env: ["IRONFORGE_SERVE_TOKEN": token]) { service in
      let without = try await service.get("/api/v1/wallets")
      #expect(without.status == 401 && without.headers["www-authenticate"] == "Bearer")
      #expect(try await service.get("/metrics").status == 401)
      // Nobody is asked for one here, whether the servers have answered yet or not.
      #expect([200, 503].contains(try await service.get("/api/ready").status))
      let wrong = try await service.get("/api/v1/wallets", ["-H", "Authorization: Bearer \(token)0"])
      #expect(wrong.status == 401)
      let right = try await service.get("/api/v1/wallets", ["-H", "Authorization: Bearer \(token)"])
      #expect(right.status == 200)
      try service.program.signal(15)
      let result = try await service.program.finish()
      #expect(!result.stderr.contains(token) && result.stderr.contains("\"status\":401"))
    }
    let open = try await Ironforge.run(
      ["serve", "--listen", "0.0.0.0:8088", "--json"],
      env: ["IRONFORGE_DATABASE_URL": "postgresql://x", "IRONFORGE_REDIS_URL": "redis://x"])
    #expect(open.exitCode == 78)
    #expect(value("code", in: open.stderr) == "token_missing")
  }

  @Test func metricsCountRequests() async throws {
    try await withService(["--access-log", "none"]) { service in
      _ = try await service.get("/nowhere")
      let text = try await service.get("/metrics").body
      #expect(text.contains("ironforge_http_requests_total{route=\"unknown\",status=\"404\"} 1\n"))
      #expect(text.contains("ironforge_http_request_seconds_bucket{route=\"unknown\",le=\"+Inf\"} 1\n"))
      for name in [
        "ironforge_postgres_connections{state=\"idle\"}", "ironforge_cache_l1_entries",
        "process_resident_memory_bytes", "process_cpu_seconds_total", "ironforge_http_connections",
      ] {
        #expect(text.contains("\n\(name) "), "\(name)")
      }
      try service.program.signal(15)
      let result = try await service.program.finish()
      #expect(!result.stderr.contains("\"route\""))
    }
  }
}
