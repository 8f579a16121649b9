import Glibc
import Primitives
import Redis
import Synchronization
import TestSupport
import Testing

@testable import Cache

/// An L1 that follows a Redis, read as `TieredCache` reads.
struct Followed: Sendable {
  let l1 = L1Cache(capacity: 1000, timeToLive: .seconds(300), timeToIdle: .seconds(300))
  let tracker: KeyTracker

  init(
    _ endpoint: Endpoint, isCluster: Bool = false, prefixes: [String] = ["user:", "wallet:"],
    connectTimeout: Duration = .seconds(5)
  ) throws {
    tracker = try KeyTracker(
      of: l1, prefixes: prefixes, endpoint: endpoint, isCluster: isCluster,
      connectTimeout: connectTimeout)
  }

  /// Puts a value in, as soon as L1 takes it.
  func hold(_ key: String, _ text: String = "old") async throws {
    try await wait("\(key) to be held") {
      l1.store(.text(text), for: key, lifetime: .seconds(300), under: l1.ticket(for: key))
      return l1.value(of: key)?.text == text
    }
  }

  func waitUntilGone(_ key: String, within limit: Duration = .seconds(30)) async throws {
    try await wait("\(key) to go", within: limit) { l1.value(of: key) == nil }
  }

  func wait(_ what: String, within limit: Duration = .seconds(30), until condition: () -> Bool) async throws {
    let deadline = Deadline.after(limit)
    while !condition() {
      guard !deadline.hasPassed else {
        throw TestFailure("Waited too long for \(what): \(String(describing: tracker.trouble))")
      }
      try await Task.sleep(for: .milliseconds(2))
    }
  }
}

@Suite(.timeLimit(.minutes(2))) struct KeyTrackerTests {
  /// Every way in which a value leaves Redis is heard, so that what is held here is there too: a fence that finds no value to
  /// delete has none to drop.
  @Test(arguments: [
    [["DEL", "user:1"]], [["UNLINK", "user:1"]], [["SET", "user:1", "new"]], [["RENAME", "user:1", "other"]],
    [["PEXPIRE", "user:1", "1"]], [["PEXPIRE", "user:1", "-1"]], [["FLUSHALL"]], [["FLUSHDB", "ASYNC"]],
    [["EVAL", "redis.call('DEL', KEYS[1])", "1", "user:1"]], [["MULTI"], ["DEL", "user:1"], ["EXEC"]],
    // Evicted: nothing else is there.
    [["CONFIG", "SET", "maxmemory-policy", "allkeys-lru", "maxmemory", "1"], ["PING"]],
  ])
  func whatBecomesOfAValueIsHeard(commands: [[String]]) async throws {
    try await withRedis { server in
      let endpoint = try Endpoint(url: server.url)
      let followed = try Followed(endpoint)
      let session = try Redis.Session(connecting: endpoint)
      try session.execute("SET", "user:1", "old")
      try await followed.hold("user:1")
      for command in commands { try session.execute(Command(command.map { .text($0) })) }
      if commands[0][0] == "CONFIG" { try await evict(session) }
      try await followed.waitUntilGone("user:1")
    }
  }

  /// Redis makes room before it carries out what may need some.
  private func evict(_ session: Redis.Session) async throws {
    while try session.execute("EXISTS", "user:1").integer() == 1 {
      let reply = try session.pipeline([Command("SET", "filler", "x")])
      guard case .error(let error) = reply[0], error.code == "OOM" else { continue }
    }
  }

  @Test func onlyTheKeyThatChangedGoes() async throws {
    try await withRedis { server in
      let followed = try Followed(Endpoint(url: server.url))
      let session = try Redis.Session(connecting: Endpoint(url: server.url))
      for key in ["user:1", "user:2", "wallet:1"] { try await followed.hold(key) }
      try session.execute("SET", "user:2", "new")
      try session.execute("SET", "fence:{user:1}", "x")
      try await followed.waitUntilGone("user:2")
      #expect(followed.l1.value(of: "user:1") == .text("old"))
      #expect(followed.l1.value(of: "wallet:1") == .text("old"))
    }
  }

  /// As a warmup makes it: everything is heard, and the connection stands.
  @Test func aFloodOfChangesIsFollowed() async throws {
    try await withRedis { server in
      let followed = try Followed(Endpoint(url: server.url))
      let session = try Redis.Session(connecting: Endpoint(url: server.url))
      let keys = stride(from: 0, to: 50_000, by: 100).map { "user:\($0)" }
      for key in keys { try await followed.hold(key) }
      let before = try session.execute("INFO", "stats").text()?.firstMatch(
        of: /total_connections_received:\d+/)
      try session.pipeline((0..<50_000).lazy.map { Command("SET", .text("user:\($0)"), "new") }) { _, reply in
        _ = try reply.get()
      }
      for key in keys { try await followed.waitUntilGone(key) }
      // Gone because they were heard of, not because nothing is served.
      try await followed.hold("wallet:1")
      let after = try session.execute("INFO", "stats").text()?.firstMatch(
        of: /total_connections_received:\d+/)
      #expect(before?.output == after?.output && before != nil)
      #expect(followed.tracker.trouble == nil)
    }
  }

  // MARK: Tickets

  @Test func aRemovalVoidsTheTicketsOfItsKeyAlone() {
    let l1 = L1Cache(capacity: 1000, timeToLive: .seconds(300), timeToIdle: .seconds(300))
    let tickets = (0..<100).map { ($0, l1.ticket(for: "user:\($0)")) }
    l1.remove("user:0")
    for (number, ticket) in tickets {
      l1.store(.text("v"), for: "user:\(number)", lifetime: .seconds(1), under: ticket)
    }
    #expect(l1.value(of: "user:0") == nil)
    // Those that share its count; one in a thousand.
    #expect(l1.statistics.count > 90)
    l1.removeAll()
    for (number, ticket) in tickets {
      l1.store(.text("v"), for: "user:\(number)", lifetime: .seconds(1), under: ticket)
    }
    #expect(l1.statistics.count == 0)
  }

  // MARK: Trouble

  @Test func nothingIsServedBeforeThereIsAConnection() async throws {
    let directory = try TemporaryDirectory("none")
    let followed = try Followed(Endpoint(.unix(path: directory.file("redis.sock"))))
    followed.l1.store(
      .text("v"), for: "user:1", lifetime: .seconds(60), under: followed.l1.ticket(for: "user:1"))
    #expect(followed.l1.value(of: "user:1") == nil)
    try await followed.wait("the trouble") {
      (followed.tracker.trouble as? RedisError)?.code == "redis_unreachable"
    }
    #expect(followed.l1.statistics.count == 0)
  }

  @Test func aMissingRightIsReportedAndHealsWhenItIsGiven() async throws {
    try await withRedis { server in
      let endpoint = try Endpoint(url: server.url)
      let session = try Redis.Session(connecting: endpoint)
      try session.execute(
        "ACL", "SETUSER", "reader", "on", ">secret", "~*", "+@all", "resetchannels")
      let followed = try Followed(Endpoint(endpoint.address, user: "reader", password: "secret"))
      try await followed.wait("the trouble") {
        (followed.tracker.trouble as? RedisError)?.code == "redis_noperm"
      }
      #expect(followed.l1.value(of: "user:1") == nil)
      try session.execute("ACL", "SETUSER", "reader", "&__redis__:invalidate")
      try await followed.hold("user:1")
      #expect(followed.tracker.trouble == nil)
    }
  }

  @Test func aStoppedTrackerServesNothing() async throws {
    try await withRedis { server in
      let followed = try Followed(Endpoint(url: server.url))
      try await followed.hold("user:1")
      followed.tracker.stop()
      try await followed.waitUntilGone("user:1")
      let session = try Redis.Session(connecting: Endpoint(url: server.url))
      try await followed.wait("its connection to end") {
        let clients = try? session.execute("CLIENT", "LIST", "TYPE", "PUBSUB").text()
        return clients?.contains("ironforge") == false
      }
    }
  }

  @Test func aServerThatDiesIsNoticedAndFollowedAgain() async throws {
    try await withRedis { server in
      let followed = try Followed(Endpoint(url: server.url))
      try await followed.hold("user:1")
      try server.signal(SIGKILL)
      try await followed.waitUntilGone("user:1", within: KeyTracker.boundMax)
      try await followed.wait("the trouble") { followed.tracker.trouble != nil }
      try await server.start()
      try await followed.hold("user:1")
      let session = try Redis.Session(connecting: Endpoint(url: server.url))
      try session.execute("SET", "user:1", "new")
      try await followed.waitUntilGone("user:1")
    }
  }

  @Test func aConnectionThatIsCutIsNoticedAndMadeAgain() async throws {
    try await withProxy { proxy, followed, session in
      try await followed.hold("user:1")
      proxy.accept(false)
      proxy.cutAll()
      try await followed.waitUntilGone("user:1", within: KeyTracker.boundMax)
      // Nobody hears of this.
      try session.execute("SET", "user:1", "new")
      proxy.accept(true)
      try await followed.hold("user:2")
      #expect(followed.l1.value(of: "user:1") == nil)
    }
  }

  /// Bytes vanish, and nothing is closed.
  @Test func aSilentConnectionIsServedFromNoLongerThanTheBound() async throws {
    try await withProxy { proxy, followed, session in
      try await followed.hold("user:1")
      proxy.set(.hang)
      // The proxy may take 10 ms to begin.
      try await Task.sleep(for: .milliseconds(20))
      try session.execute("SET", "user:1", "new")
      try await followed.waitUntilGone("user:1", within: KeyTracker.boundMax)
      try await followed.wait("the trouble") { followed.tracker.trouble != nil }
      proxy.set(.none)
      try await followed.hold("user:1", "new")
      #expect(followed.tracker.trouble == nil)
    }
  }

  private func withProxy(
    _ body: (Proxy, Followed, Redis.Session) async throws -> Void
  ) async throws {
    try await withRedis { server in
      let proxy = try Proxy(to: .unix(server.socket))
      defer { proxy.stop() }
      let followed = try Followed(
        Endpoint(.tcp(host: "127.0.0.1", port: proxy.port)), connectTimeout: .seconds(1))
      try await body(proxy, followed, Redis.Session(connecting: Endpoint(url: server.url)))
    }
  }

  // MARK: The bound

  /// Reads and writes while the tracker's connection is delayed, hangs and breaks: nothing is served that is older than the
  /// bound, and something that is old, or this would prove nothing.
  @Test func nothingIsServedThatIsOlderThanTheBound() async throws {
    try await withProxy { proxy, followed, session in
      let l1 = followed.l1
      let history = Mutex([ContinuousClock.now])
      let isOver = Mutex(false)
      try session.execute("SET", "user:1", 0)
      let endpoint = session.endpoint
      let reader = Task.detached {
        try await blocking {
          let session = try Redis.Session(connecting: endpoint)
          var (hits, oldest) = (0, Duration.zero)
          while !isOver.withLock({ $0 }) {
            let begin = ContinuousClock.now
            guard let held = l1.value(of: "user:1")?.text, let value = Int(held) else {
              let ticket = l1.ticket(for: "user:1")
              guard let read = try session.execute("GET", "user:1").text() else { continue }
              l1.store(.text(read), for: "user:1", lifetime: .seconds(300), under: ticket)
              continue
            }
            hits += 1
            // What was written next, had it been acknowledged by then, makes the value so old.
            let next = history.withLock { $0.count > value + 1 ? $0[value + 1] : begin }
            oldest = max(oldest, begin - next)
          }
          return (hits, oldest)
        }
      }
      let plan: [(fault: ProxyFault, milliseconds: Int)] = [
        (.none, 1000), (.hang, 2500), (.delay(milliseconds: 300), 1500), (.none, 1000), (.hang, 2500),
        (.delay(milliseconds: 900), 1500), (.none, 500),
      ]
      var value = 0
      for step in plan {
        proxy.set(step.fault)
        if step.fault == .none { proxy.cutAll() }
        let end = ContinuousClock.now + .milliseconds(step.milliseconds)
        while ContinuousClock.now < end {
          value += 1
          try session.execute("SET", "user:1", .integer(value))
          history.withLock { $0.append(.now) }
          try await Task.sleep(for: .milliseconds(Int.random(in: 1...100)))
        }
      }
      isOver.withLock { $0 = true }
      let (hits, oldest) = try await reader.value
      #expect(hits > 100)
      #expect(oldest <= KeyTracker.boundMax)
      #expect(oldest > .milliseconds(200))
    }
  }
}
