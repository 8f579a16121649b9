import Bench
import NIOCore
import NIOHPACK
import Primitives
import Testing

@testable import HTTPLoad

/// What is sent, and where.
@Suite struct RequestTests {
  @Test(arguments: [
    ("http://localhost", false, "localhost", 80, "localhost", "/"),
    ("HTTP://Host:8088/a/b?c=d#e", false, "Host", 8088, "Host:8088", "/a/b?c=d"),
    ("https://example.com:443/x", true, "example.com", 443, "example.com", "/x"),
    ("https://[::1]:8443?q", true, "::1", 8443, "[::1]:8443", "/?q"),
    ("http://[2001:db8::1]/", false, "2001:db8::1", 80, "[2001:db8::1]", "/"),
  ])
  func urlsAreTakenApart(
    url: String, isTLS: Bool, host: String, port: Int, authority: String, path: String
  ) throws {
    let target = try HTTPTarget(url)
    #expect(target.isTLS == isTLS && target.host == host && target.port == port)
    #expect(target.authority == authority && target.path == path)
    #expect(!target.place.contains("?"))
  }

  @Test(arguments: [
    "localhost:80", "ftp://host/", "http://", "http://:80/", "http://host:0/", "http://host:65536/",
    "http://host:x/",
    "http://host:/", "http://host:+80/", "http://us er@host/", "http://user:secret@host/", "http://[::1",
    "http://[]/",
    "http://[name]/", "http://[::1]x/", "http://a:b:c/", "http://host/\r\nX: y", "http://hóst/", "",
  ])
  func whatIsNoURLIsRefused(url: String) {
    let failure = #expect(throws: SimpleFailure.self) { try HTTPTarget(url) }
    #expect(failure?.code == "url_invalid" && failure?.kind == .usage)
    #expect(failure?.message.contains("secret") == false)
  }

  @Test func headerFieldsAreChecked() throws {
    let field = try HTTPField("X-Trace:\t a: b ")
    #expect(field.name == "X-Trace" && field.value == "a: b")
    for text in [
      "no colon", ": value", "two words: x", "X: a\r\nY: b", "X: \u{7F}", "Connection: close",
      "content-length: 5",
      "Transfer-Encoding: chunked",
    ] {
      let failure = #expect(throws: SimpleFailure.self, "\(text)") { try HTTPField(text) }
      #expect(failure?.code == "header_invalid")
    }
    let secret = #expect(throws: SimpleFailure.self) { try HTTPField("Authorization: Bearer s3\u{1}cret") }
    #expect(secret?.message.contains("cret") == false && secret?.hint?.contains("cret") == false)
  }

  @Test func theBytesOfARequest() throws {
    var request = HTTPLoadRequest(try HTTPTarget("http://localhost:8088/a?b=c"))
    request.fields = [try HTTPField("X-One: 1"), try HTTPField("Authorization: Bearer t")]
    let encoded = EncodedRequest(request)
    #expect(
      String(buffer: encoded.http1)
        == "GET /a?b=c HTTP/1.1\r\nHost: localhost:8088\r\nX-One: 1\r\nAuthorization: Bearer t\r\nUser-Agent: ironforge-bench\r\n\r\n"
    )
    #expect(encoded.http2.first(name: ":authority") == "localhost:8088")
    let secret = try #require(encoded.http2.first { $0.name == "authorization" })
    #expect(secret.indexable == .neverIndexed)
    // The user's own.
    request.method = .head
    request.fields = [try HTTPField("host: other"), try HTTPField("USER-AGENT: mine")]
    let own = EncodedRequest(request)
    #expect(String(buffer: own.http1) == "HEAD /a?b=c HTTP/1.1\r\nHost: other\r\nUSER-AGENT: mine\r\n\r\n")
    #expect(own.isHead && own.http2.first(name: ":authority") == "other")
  }
}
