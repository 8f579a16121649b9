import NIOHTTP1
import Primitives
import Testing

@testable import Serve

/// The rules of HTTP as values.
@Suite struct RulesTests {
  @Test(arguments: [
    ("gzip", true), ("deflate, gzip;q=0.5", true), ("*", true), ("x-gzip", true), ("GZIP ; q=1.0", true),
    ("", false), ("identity", false), ("gzip;q=0", false), ("*;q=0", false), ("*, gzip;q=0", false),
    ("gzip;q=0.2, identity;q=0.8", false), ("gzip;q=abc", false), ("gzip;q=nan", false), (";;,,;q=", false),
  ])
  func gzipIsNegotiated(field: String, isTaken: Bool) {
    #expect(ContentCoding.acceptsGzip([field]) == isTaken, "\(field)")
  }

  @Test func entityTagsAreComparedWeakly() {
    let tag = EntityTag.of(Array("body".utf8))
    #expect(tag.hasPrefix("W/\"") && tag.hasSuffix("\""))
    #expect(tag != EntityTag.of(Array("other".utf8)))
    let strong = String(tag.dropFirst(2))
    for field in [tag, strong, "*", "\"x\", \(tag)", "\"x\" ,\(strong)"] {
      #expect(EntityTag.matches([field], tag), "\(field)")
    }
    for field in ["", "\"x\"", "W/", String(strong.dropLast())] {
      #expect(!EntityTag.matches([field], tag), "\(field)")
    }
  }

  @Test(arguments: [
    ("/api/health", "/api/health"), ("/api/v1/wallets", "/api/v1/wallets"), ("/api/v1/wallets/", "unknown"),
    ("/api/v1/wallets/0xAB", "/api/v1/wallets/{id}"), ("/api/v1/wallets/a/b", "unknown"),
    ("/api/v1/wallets/%zz", "unknown"), ("/api/v1/wallets/%ff", "unknown"), ("//metrics", "unknown"),
    ("", "unknown"),
  ])
  func pathsLeadToRoutes(path: String, name: String) {
    #expect(Route(path: path[...]).name == name)
  }

  @Test func onlyHealthAndReadinessNeedNoToken() {
    let open = ["/api/health", "/api/ready", "/metrics", "/api/v1/wallets", "/api/v1/wallets/x", "/x"]
      .filter { Route(path: $0[...]).isOpen }
    #expect(open == ["/api/health", "/api/ready"])
  }

  @Test func escapesAreResolvedOrRefused() {
    #expect(percentDecoded("ada%40example.com+x", plusIsBlank: true) == "ada@example.com x")
    #expect(percentDecoded("ada+x%2B%20") == "ada+x+ ")
    for hostile in ["%", "%4", "%4g", "%ff", "%c3", "%00", "a%00b"] {
      #expect(percentDecoded(hostile[...]) == nil, "\(hostile)")
    }
  }

  @Test(arguments: [
    ("/metrics?a=1", "/metrics"), ("http://wallets.example/api/health", "/api/health"),
    ("HTTPS://x:1/metrics?q=/", "/metrics"), ("http://x", "/"), ("http://x?q", "/"), ("*", "*"),
    ("x:443", "x:443"), ("ftp://x/metrics", "ftp://x/metrics"), ("/x://y/metrics", "/x://y/metrics"),
    ("", ""),
  ])
  func targetsHaveAPath(target: String, path: String) {
    let request = ServedRequest(method: .GET, target: target, headers: [:], version: "", client: "")
    #expect(request.path == path)
  }

  @Test func addressesTellLoopback() throws {
    for text in ["127.0.0.1:80", "127.9.9.9:1", "localhost:0", "[::1]:8088"] {
      #expect(try ListenAddress(text).isLoopback, "\(text)")
    }
    for text in [
      "0.0.0.0:80", "10.0.0.1:1", "[::]:80", "[::2]:80", "[fe80::1]:80", "example.com:80", "1270.0.0.1:1",
    ] {
      #expect(try !ListenAddress(text).isLoopback, "\(text)")
    }
    for text in ["", ":80", "a", "a:", "a:b", "a:65536", "::1:80", "[]:80"] {
      #expect(throws: SimpleFailure.self, "\(text)") { try ListenAddress(text) }
    }
  }

  @Test func datesAreThoseOfHTTP() {
    #expect(HTTPDate.text(of: 784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
    #expect(HTTPDate.text(of: 0) == "Thu, 01 Jan 1970 00:00:00 GMT")
  }

  @Test func tokensAreLongAndPlain() throws {
    for text in ["", "short", "0123456789abcde", "0123456789abcdef 0", "0123456789abcdéf"] {
      #expect(throws: SimpleFailure.self, "\(text)") { try BearerToken(text) }
    }
    let token = try BearerToken("0123456789abcdef")
    #expect(token.isShown(in: ["authorization": "Bearer 0123456789abcdef"]))
    #expect(token.isShown(in: ["authorization": "bearer  0123456789abcdef"]))
    for field in ["", "Bearer", "Bearer 0123456789abcdeF", "Basic 0123456789abcdef", "0123456789abcdef"] {
      #expect(!token.isShown(in: ["authorization": field]), "\(field)")
    }
    #expect(!token.isShown(in: [:]))
  }

  @Test func gzipSaysWhatItIs() throws {
    let bytes = Array(String(repeating: "wallet ", count: 1000).utf8)
    let packed = try #require(ContentCoding.gzip(bytes))
    #expect(packed.prefix(2) == [0x1F, 0x8B])
    #expect(packed.count < bytes.count / 10)
    #expect(ContentCoding.gzip([])?.isEmpty == false)
  }

  @Test func countersAddUp() {
    let metrics = RequestMetrics()
    metrics.begin()
    metrics.end(route: "/metrics", status: 200, seconds: 0.003, tier: "l2")
    metrics.count(route: "/metrics", status: 500, seconds: 99, tier: nil)
    let lines = metrics.lines()
    #expect(lines.contains("ironforge_http_requests_total{route=\"/metrics\",status=\"200\"} 1"))
    #expect(lines.contains("ironforge_http_request_seconds_bucket{route=\"/metrics\",le=\"0.0025\"} 0"))
    #expect(lines.contains("ironforge_http_request_seconds_bucket{route=\"/metrics\",le=\"0.005\"} 1"))
    #expect(lines.contains("ironforge_http_request_seconds_bucket{route=\"/metrics\",le=\"+Inf\"} 2"))
    #expect(lines.contains("ironforge_cache_answers_total{tier=\"l2\"} 1"))
    #expect(metrics.requestsInFlight == 0)
  }
}
