import Redis
import TestSupport
import Testing

/// `cache get` and `cache invalidate`.
@Suite(.timeLimit(.minutes(3)))
struct CacheRowTests {
  @Test func readsFillAndAreAnsweredByRedis() async throws {
    try await withCachedTown { town in
      let key = try await town.keyOfAda()
      let first = try await town.run("cache", "get", key, "--json")
      #expect(first.exitCode == 0 && first.stderr == "")
      #expect(value("tier", in: first.stdout) == "database")
      let second = try await town.run(
        "cache", "get", key.uppercased().replacing("USER", with: "user"), "--json")
      #expect(second.exitCode == 0 && value("tier", in: second.stdout) == "l2")
      #expect(Array(keys(second.stdout).prefix(5)) == ["key", "tier", "age_ms", "ttl_ms", "value"])
      let timeLeft = try #require(Int(value("ttl_ms", in: second.stdout) ?? ""))
      #expect((200_000...330_000).contains(timeLeft))
      let age = try #require(Int(value("age_ms", in: second.stdout) ?? ""))
      #expect((0...60_000).contains(age))
      // The value is the user as `user show` prints it, for any program that reads Redis.
      let shown = try await town.run("user", "show", "ada@example.com", "--json")
      let stored = try await town.command("GET", .text(key)).text()
      #expect(stored.map { $0 + "\n" } == shown.stdout)
      #expect(second.stdout.contains("\"value\":\(stored ?? "")"))
      let text = try await town.run("cache", "get", key)
      #expect(text.stdout.contains("tier   l2\n"))
      let csv = try await town.run("cache", "get", key, "-o", "csv")
      #expect(csv.stdout.hasPrefix("key,tier,age_ms,ttl_ms,value\r\n\(key),l2,"))
    }
  }

  @Test func aWalletIsCachedWithWhatItHolds() async throws {
    try await withCachedTown { town in
      #expect(try await town.town.send("1", "2.50").exitCode == 0)
      let key = try await town.key(ofWallet: "main")
      let read = try await town.run("cache", "get", key, "--json")
      let shown = try await town.run("wallet", "show", "ada@example.com/main", "--json")
      let wallet = shown.stdout.dropFirst("{\"wallet\":".count).prefix { $0 != "}" }
      #expect(read.stdout.contains(String(wallet)))
      // All of it: what it holds has the keys, in their order, that the command prints.
      let assets = try #require(shown.stdout.firstMatch(of: #/"assets":\[.*?\]/#)).output
      #expect(
        assets.hasPrefix(
          #""assets":[{"currency":"USD","balance":"2.50","held":"0.00","available":"2.50","version":1,"as_of":""#
        ))
      #expect(read.stdout.hasSuffix(",\(assets)}}\n"))
    }
  }

  @Test func anAbsenceIsRememberedForAWhile() async throws {
    try await withCachedTown { town in
      let key = "user:00000000-0000-7000-8000-000000000001"
      for tier in ["database", "l2"] {
        let read = try await town.run("cache", "get", key, "--json")
        #expect(read.exitCode == 4 && value("tier", in: read.stdout) == tier)
        #expect(read.stdout.hasSuffix("\"value\":null}\n"))
        #expect(Int(value("ttl_ms", in: read.stdout) ?? "").map { $0 <= 33_000 } == true)
      }
    }
  }

  /// Keys that are named like those of rows and are none.
  @Test func othersKeysAreLeftAlone() async throws {
    try await withCachedTown { town in
      let others = ["user:1:cart", "user:sessions", "wallet:01a205f0-2c1b-7a6e-8a07-9d1f4d1fb8c1:log"]
      for name in others { try await town.command("HSET", .text(name), "a", "1") }
      let squatter = "user:01a205f0-2c1b-7a6e-8a07-9d1f4d1fb8c1"
      try await town.command("SET", .text(squatter), "{}")
      try await town.command("DEL", "fence:{ironforge}")
      func left() async throws -> [String] {
        var left: [String] = []
        for name in others + [squatter] where try await town.command("EXISTS", .text(name)).integer() == 1 {
          left.append(name)
        }
        return left
      }
      // It vouches for the server. How much it writes depends on the transactions of other tests.
      let warmup = try await town.run("cache", "warmup", "--json")
      #expect(try await town.command("HEXISTS", "fence:{ironforge}", "birth").integer() == 1, "\(warmup)")
      #expect(try await left() == others)
      try await town.command("SET", .text(squatter), "{}")
      let ada = try await town.keyOfAda()
      try await town.command("SET", .text(ada), "{}")
      let count = try await town.run("cache", "invalidate", "--scope", "users", "--json")
      #expect(count.exitCode == 0 && value("keys", in: count.stdout) == "2")
      let done = try await town.run("cache", "invalidate", "--scope", "users", "--execute", "--json")
      #expect(done.exitCode == 0 && value("deleted", in: done.stdout) == "2")
      #expect(try await left() == others)
      #expect(try await town.command("EXISTS", .text(ada)).integer() == 0)
      // Named, it goes.
      #expect(try await town.run("cache", "invalidate", "user:sessions").exitCode == 0)
      #expect(try await left() == others.filter { $0 != "user:sessions" })
    }
  }

  @Test func aKeyThatIsNoneIsRefused() async throws {
    try await withCachedTown { town in
      for text in ["ada@example.com", "user:", "user:1", "purse:00000000-0000-7000-8000-000000000001"] {
        let read = try await town.run("cache", "get", text, "--json")
        #expect(read.exitCode == 64 && value("code", in: read.stderr) == "cache_key_invalid")
        #expect(value("hint", in: read.stderr) != nil)
      }
      #expect(try await town.run("cache", "invalidate", "purse:1").exitCode == 64)
      #expect(try await town.run("cache", "invalidate").exitCode == 64)
      #expect(try await town.run("cache", "invalidate", "user:1", "--scope", "users").exitCode == 64)
      #expect(try await town.run("cache", "invalidate", "user:1", "--execute").exitCode == 64)
    }
  }

  @Test func namedKeysAreInvalidatedAtOnce() async throws {
    try await withCachedTown { town in
      let (ada, wallet) = (try await town.keyOfAda(), try await town.key(ofWallet: "main"))
      for key in [ada, wallet] { #expect(try await town.run("cache", "get", key).exitCode == 0) }
      let gone = try await town.run("cache", "invalidate", ada, "user:of-another-program", "--json")
      #expect(gone.stdout == "{\"keys\":2,\"deleted\":1,\"fenced\":true,\"executed\":true}\n")
      #expect(try await town.command("GET", .text(ada)).text() == nil)
      #expect(try await town.command("EXISTS", .text(wallet)).integer() == 1)
      // Fenced by a transaction that is over: the next read may fill.
      let again = try await town.run("cache", "get", ada, "--json")
      #expect(value("tier", in: again.stdout) == "database")
      #expect(value("tier", in: try await town.run("cache", "get", ada, "--json").stdout) == "l2")
    }
  }

  @Test func aScopeIsShownBeforeItIsTakenOut() async throws {
    try await withCachedTown { town in
      #expect(try await town.run("cache", "warmup").exitCode == 0)
      let plan = try await town.run("cache", "invalidate", "--scope", "wallets", "--json")
      #expect(plan.exitCode == 0)
      #expect(plan.stdout == "{\"keys\":3,\"deleted\":0,\"fenced\":false,\"executed\":false}\n")
      #expect(plan.stderr.contains("nothing was changed"))
      let ada = try await town.keyOfAda()
      let done = try await town.run("cache", "invalidate", "--scope", "wallets", "--execute", "--json")
      #expect(done.stdout == "{\"keys\":3,\"deleted\":3,\"fenced\":true,\"executed\":true}\n")
      #expect(try await town.command("EXISTS", .text(ada)).integer() == 1)
      let all = try await town.run("cache", "invalidate", "--scope", "all", "--execute")
      #expect(all.stdout == "Invalidated 1 key, 1 of which had a value.\n")
    }
  }

  /// A load that began before an invalidation has a snapshot that does not see it, and must not bring its value back.
  @Test func aLoadInFlightIsShutOut() async throws {
    try await withCachedTown { town in
      let key = try await town.keyOfAda()
      #expect(try await town.run("cache", "get", "user:00000000-0000-7000-8000-000000000001").exitCode == 4)
      let side = "fence:{\(key)}"
      try await town.command("HSET", .text(side), "lease", "99999999999999 token", "whole", 1)
      #expect(try await town.run("cache", "invalidate", key).exitCode == 0)
      #expect(try await town.command("HEXISTS", .text(side), "lease").integer() == 0)
      let fences = try await town.command("HKEYS", .text(side)).array() ?? []
      #expect(try fences.contains { try $0.text()?.hasPrefix("x:") == true })
    }
  }

  @Test func statsCountWhatWasAskedAndShowTheTarget() async throws {
    try await withCachedTown { town in
      let empty = try await town.run("cache", "stats", "--json")
      #expect(empty.exitCode == 0 && empty.stderr == "")
      #expect(
        empty.stdout.contains(
          #""ironforge":{"l1":{"hits":0,"misses":0,"hit_rate":null},"l2":{"hits":0,"misses":0,"hit_rate":null}}"#
        ))
      let key = try await town.keyOfAda()
      for _ in 1...4 { #expect(try await town.run("cache", "get", key).exitCode == 0) }
      let stats = try await town.run("cache", "stats", "--json")
      #expect(stats.stdout.contains(#""l2":{"hits":3,"misses":1,"hit_rate":0.75}"#))
      #expect(stats.stdout.contains(#""outbox":{"pending":0,"oldest_seconds":null}"#))
      #expect(
        stats.stdout.contains(#""target":{"name":"cache_hit_rate","target":0.8,"value":0.75,"ok":false}"#))
      let text = try await town.run("cache", "stats", env: ["IRONFORGE_TARGETS_CACHE_HIT_RATE": "0.7"])
      #expect(text.stdout.contains("target 70.0 %: met\noutbox: empty\n"))
      try await town.database.sql("insert into ironforge.cache_outbox (keys) values ('{\(key)}')")
      let waiting = try await town.run("cache", "stats")
      #expect(waiting.stdout.contains("outbox: 1 write waits, the oldest for "))
    }
  }

  @Test func statsAreWatchedUntilASignal() async throws {
    try await withCachedTown { town in
      let watch = try await town.start("cache", "stats", "--watch", "--json")
      try await Task.sleep(for: .milliseconds(3500))
      try watch.signal(2)
      let result = try await watch.finish()
      let lines = result.stdout.split(separator: "\n")
      #expect(result.exitCode == 130)
      #expect((2...5).contains(lines.count))
      #expect(lines.allSatisfy { $0.hasPrefix("{\"redis\":{\"hits\":") })
    }
  }
}
