import Primitives
import Redis
import Testing

@Suite struct EndpointTests {
  @Test(arguments: [
    ("redis://example.org", Endpoint.Address.tcp(host: "example.org", port: 6379), 0),
    ("redis://example.org:7000/3", .tcp(host: "example.org", port: 7000), 3),
    ("REDIS://example.org/", .tcp(host: "example.org", port: 6379), 0),
    ("redis://:p%40ss@[::1]:7000/3", .tcp(host: "::1", port: 7000), 3),
    ("redis://u:a@b@host", .tcp(host: "host", port: 6379), 0),
    ("unix:///run/redis.sock", .unix(path: "/run/redis.sock"), 0),
    ("unix:///run/a%20b%3F.sock?db=15", .unix(path: "/run/a b?.sock"), 15),
    ("unix://:secret@/run/redis.sock?db=2", .unix(path: "/run/redis.sock"), 2),
  ])
  func reads(url: String, address: Endpoint.Address, database: Int) throws {
    let endpoint = try Endpoint(url: url)
    #expect(endpoint.address == address)
    #expect(endpoint.database == database)
  }

  @Test func decodesUserAndPassword() throws {
    let endpoint = try Endpoint(url: "redis://us%65r:p%3Aw%2F%C3%A9@host")
    #expect(endpoint.user == "user")
    #expect(
      try endpoint == Endpoint(.tcp(host: "host", port: 6379), user: "user", password: "p:w/é"))
  }

  @Test(arguments: [
    "", "host", "http://host", "rediss://:hunter2@host", "redis://", "redis://:hunter2@", "redis://host:0",
    "redis://host:65536", "redis://host:+80", "redis://host:", "redis://host/x", "redis://host/-1",
    "redis://host/99999999999999999999", "redis://host/0?password=hunter2", "redis://[::1", "redis://[::1]x",
    "redis://h%6", "redis://h%zz", "redis://:%ff@host", "redis://user@host", "redis://ho%00st",
    "unix://relative/hunter2", "unix://", "unix:///p?database=1", "unix:///p?db=", "unix:///p?db=x",
    "unix:///p?password=hunter2", "redis://hunter2/x@host:1", "redis://a:hunter2/x@host:1",
    "unix:///" + String(repeating: "x", count: 107),
  ])
  func refusesWithoutEchoingTheURL(url: String) throws {
    let error = try #require(throws: RedisError.self) { try Endpoint(url: url) }
    #expect(error.code == "redis_url")
    #expect(error.kind == .configuration)
    #expect(!"\(error) \(error.message) \(error.hint ?? "")".contains("hunter2"))
  }

  @Test func tellsThatTLSIsNotSupported() throws {
    let error = try #require(throws: RedisError.self) { try Endpoint(url: "rediss://host") }
    #expect(error.message.contains("TLS"))
  }

  @Test func neverShowsThePassword() throws {
    let endpoint = try Endpoint(url: "redis://user:hunter2@host:7000/3")
    var dumped = ""
    dump(endpoint, to: &dumped)
    let shown = "\(endpoint) \(String(reflecting: endpoint)) \(dumped) \(String(describing: [endpoint]))"
    #expect(!shown.contains("hunter2"))
    #expect(endpoint.description == "redis at host:7000")
    #expect(endpoint.debugDescription == "redis at host:7000, database 3, user user, with a password")
  }

  @Test func tellsErrorCodesFromText() {
    #expect(RedisError.server(ServerError(code: "OOM", message: "x")).code == "redis_oom")
    #expect(RedisError.server(ServerError(code: "LOADING", message: "x")).isRetryable)
    #expect(RedisError.server(ServerError(code: "NOPERM", message: "x")).kind == .privilege)
    #expect(!RedisError.timedOut(endpoint: "", mayHaveRun: true).isRetryable)
  }
}
