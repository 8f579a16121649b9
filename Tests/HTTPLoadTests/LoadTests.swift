import Glibc
import NIOCore
import Primitives
import TestSupport
import Testing

@testable import HTTPLoad

/// What `ironforge bench http` printed.
struct Figures {
  let exitCode: Int32
  let stderr: String
  let json: JSON

  var requests: Int { json["requests"].integer ?? -1 }
  var errors: Int { json["errors"].integer ?? -1 }
  func errors(_ code: String) -> Int { json["errors_by_code"][code].integer ?? 0 }
  /// In milliseconds.
  func latency(_ name: String) -> Double { json["latency_ms"][name].real ?? -1 }
}

/// Runs a load of `url`.
func load(_ url: String, _ options: [String], env: [String: String?] = [:]) async throws -> Figures {
  let result = try await Ironforge.run(["bench", "http", url, "--json"] + options, env: env)
  #expect([0, 99].contains(result.exitCode), "\(result)")
  return Figures(
    exitCode: result.exitCode, stderr: result.stderr, json: try JSON(parsing: Array(result.stdout.utf8)))
}

/// Loads over HTTP/1.1, against a server that behaves as each test says.
@Suite struct LoadTests {
  private static let brief = ["--duration", "500ms", "--warmup", "0s", "--connections", "4"]

  @Test func everyRequestIsCountedOnceAndConnectionsAreKept() async throws {
    try await TestServer.with { _ in
      .bytes(TestServer.ok)
    } _: { server in
      let figures = try await load(server.url, Self.brief)
      #expect(figures.requests == server.requests && figures.requests > 8)
      #expect(figures.errors == 0)
      // One more was opened first, to see whether anybody is there.
      #expect(server.connections.ever == 5 && server.connections.most <= 5)
      #expect(figures.stderr.contains("\"protocol\":\"HTTP/1.1\""))
    }
  }

  @Test func answersOfEveryFramingAreReadToTheirEnd() async throws {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    let replies: [TestServer.Reply] = [
      .bytes(chunked), .bytes("HTTP/1.1 204 No Content\r\n\r\n"),
      .bytes("HTTP/1.1 100 Continue\r\n\r\n" + chunked),
      .bytesThenClose("HTTP/1.1 200 OK\r\n\r\nuntil the end"),
      .bytesThenClose("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx"),
    ]
    try await TestServer.with {
      replies[($0.request - 1) % replies.count]
    } _: { server in
      let figures = try await load(server.url, Self.brief)
      #expect(figures.errors == 0 && figures.requests == server.requests && figures.requests > 8)
      // Each fourth answer ends its connection, and another one takes its place.
      #expect(server.connections.ever > 5 && server.connections.most <= 5)
    }
  }

  @Test func errorsAreCountedByCode() async throws {
    try await TestServer.with { question in
      switch question.request % 4 {
      case 1: .bytes("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy")
      case 2: .bytes("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
      case 3: .bytes("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")
      default: .bytes(TestServer.ok)
      }
    } _: { server in
      let figures = try await load(server.url, Self.brief)
      #expect(figures.exitCode == 99)
      #expect(figures.errors("http_503") > 0 && figures.errors("http_404") > 0)
      #expect(figures.errors == figures.errors("http_503") + figures.errors("http_404"))
      #expect(server.connections.ever == 5)
    }
  }

  @Test(arguments: [
    (TestServer.Reply.reset, "connection_reset"), (.bytes("SSH-2.0-OpenSSH_9.2\r\n"), "response_malformed"),
    (.bytesThenClose("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort"), "connection_closed"),
    (.bytesThenClose(""), "connection_closed"),
    (.bytes("HTTP/1.1 200 OK\r\nX: " + String(repeating: "x", count: 70_000)), "response_header_too_large"),
  ])
  func aConnectionThatIsLostIsAnError(reply: TestServer.Reply, code: String) async throws {
    // Every second answer, so that the connection is worth opening again at once.
    try await TestServer.with {
      $0.request % 2 == 0 ? reply : .bytes(TestServer.ok)
    } _: { server in
      let figures = try await load(server.url, Self.brief)
      #expect(figures.errors == figures.errors(code) && figures.errors > 1, "\(figures.json)")
      #expect(figures.requests > figures.errors)
    }
  }

  @Test func aServerThatHangsUpIsNotFlooded() async throws {
    try await TestServer.with { _ in
      .bytesThenClose("")
    } _: { server in
      let figures = try await load(server.url, Self.brief)
      #expect(figures.errors == figures.requests && figures.errors("connection_closed") >= 4)
      // Four connections that rest for a tenth of a second each time.
      #expect(server.connections.ever <= 4 * 8)
    }
  }

  @Test func whatIsNotAnsweredTimesOut() async throws {
    try await TestServer.with { _ in
      .silence
    } _: { server in
      let figures = try await load(server.url, Self.brief + ["--timeout", "300ms"])
      #expect(figures.errors("timeout") >= 4 && figures.errors == figures.requests)
      #expect(figures.latency("p50") >= 300 && figures.latency("max") < 2000)
    }
  }

  @Test func headHasNoBodyAndFieldsAreSent() async throws {
    try await TestServer.with { question in
      let isRight =
        question.text.hasPrefix("HEAD /x?y=z HTTP/1.1\r\n")
        && question.text.contains("\r\nAuthorization: Bearer s3cret\r\n")
      return .bytes("HTTP/1.1 \(isRight ? 200 : 400) x\r\nContent-Length: 1000\r\n\r\n")
    } _: { server in
      let options = ["--method", "HEAD", "--header", "Authorization: Bearer s3cret"]
      let figures = try await load(server.url + "x?y=z", Self.brief + options)
      #expect(figures.errors == 0 && figures.requests > 3)
      #expect(!figures.stderr.contains("s3cret") && !figures.stderr.contains("y=z"))
    }
  }

  // MARK: The open loop

  @Test func aStallShowsInTheLatenciesOfAllThatWasDue() async throws {
    try await TestServer.with { question in
      // From one second on nothing is answered for a second.
      let stall = Duration.seconds(2) - question.age
      return question.age > .seconds(1) && stall > .zero
        ? .later(TimeAmount(stall), TestServer.ok) : .bytes(TestServer.ok)
    } _: { server in
      let figures = try await load(
        server.url, ["--connections", "2", "--rate", "60", "--duration", "3s", "--warmup", "0s"])
      // Every request was due, and a third of them in the stall: a client that waits with its next request would have seen two.
      #expect(figures.requests == 180 && figures.errors == 0 && server.requests == 180)
      #expect(figures.latency("p90") > 500)
      #expect(figures.latency("p99") > 900 && figures.latency("max") > 950)
      #expect(server.connections.ever <= 3)
      #expect(figures.stderr.contains("\"warning\""))
    }
  }

  @Test func connectionsAreOpenedAsNeededAndTenAreKeptIdle() async throws {
    try await TestServer.with { question in
      question.age < .seconds(1) ? .later(.milliseconds(200), TestServer.ok) : .bytes(TestServer.ok)
    } _: { server in
      let options = ["--connections", "100", "--warmup", "0s", "--stages", "1s:100,3s:10"]
      let figures = try await load(server.url, options)
      #expect(figures.requests == 130 && figures.errors == 0)
      #expect(server.connections.most > HTTPLoad.idleConnectionsMax + 2)
      // In the second stage one connection would do.
      let open = server.openAtRequests.suffix(15)
      #expect(open.allSatisfy { (1...HTTPLoad.idleConnectionsMax).contains($0) }, "\(open)")
    }
  }

  @Test func aServerThatDiesIsToldByCode() async throws {
    let figures = try await TestServer.with {
      $0.age > .milliseconds(300) ? .reset : .bytes(TestServer.ok)
    } _: { server in
      try await load(
        server.url, ["--connections", "2", "--rate", "100", "--duration", "1s", "--warmup", "0s"])
    }
    #expect(figures.requests == 100)
    #expect(figures.errors("connection_reset") > 0)
  }

  // MARK: Refusals

  @Test func whatCannotBeLoadedIsSaidAtOnce() async throws {
    let port = try PrivateRedis.freePort()
    let dead = try await Ironforge.run(["bench", "http", "http://127.0.0.1:\(port)/?token=s3cret"])
    #expect(dead.exitCode == 69)
    #expect(dead.stderr.contains("cannot be loaded: Connection refused") && dead.stderr.contains("hint:"))
    #expect(!dead.stderr.contains("s3cret"))
    let nameless = try await Ironforge.run(["bench", "http", "http://nobody.invalid/", "--json"])
    #expect(nameless.exitCode == 69 && value("code", in: nameless.stderr) == "name_unresolved")
    try await TestServer.with { _ in
      .bytesThenClose("HTTP/1.1 400 Bad Request\r\n\r\n")
    } _: { server in
      let old = try await Ironforge.run(["bench", "http", server.url, "--http2", "--json"])
      #expect(old.exitCode == 69 && value("code", in: old.stderr) == "http2_not_spoken")
      let plain = try await Ironforge.run(
        ["bench", "http", "https://127.0.0.1:\(server.port)/", "--timeout", "2s", "--json"])
      #expect(
        plain.exitCode == 69 && ["tls_failed", "connect_timeout"].contains(value("code", in: plain.stderr)))
    }
  }

  @Test(arguments: [
    ["ftp://x/"], ["http://x/", "--streams", "2"], ["http://x/", "--http1", "--http2"],
    ["http://x/", "--insecure"],
    ["http://x/", "--http2", "--streams", "0"], ["http://x/", "--method", "POST"],
    ["http://x/", "--timeout", "1ms"],
    ["http://x/", "--header", "Connection: close"], ["http://x/", "--threads", "0"],
    ["http://x/", "--connections", "0"],
    ["https://x/", "--insecure", "--tls-ca", "f"], [],
  ])
  func wrongOptionsAreToldByTheFirstProgram(arguments: [String]) async throws {
    let result = try await Ironforge.run(["bench", "http"] + arguments)
    #expect(result.exitCode == 64 && result.stdout.isEmpty, "\(arguments): \(result)")
  }

  @Test func withoutTheSecondProgramHelpIsThereAndALoadIsNot() async throws {
    let directory = try TemporaryDirectory()
    let copy = directory.file("ironforge")
    #expect(try await Program("/bin/cp", [try Ironforge.path(), copy]).run().exitCode == 0)
    let environment: [String: String?] = ["PATH": "/nonexistent", "HOME": "/nonexistent"]
    let help = try await Program(copy, ["bench", "http", "--help"], environment: environment).run()
    #expect(help.exitCode == 0 && help.stdout.contains("--streams"))
    let lost = try await Program(
      copy, ["bench", "http", "http://127.0.0.1:1/"], environment: environment, directory: directory.path
    ).run()
    #expect(
      lost.exitCode == 78 && lost.stderr.contains("ironforge-serve is neither beside ironforge nor on PATH"))
  }

  @Test func aSignalEndsItWithAReport() async throws {
    try await TestServer.with { _ in
      .bytes(TestServer.ok)
    } _: { server in
      let running = try await Ironforge.start(
        ["bench", "http", server.url, "--duration", "1m", "--warmup", "0s", "--json"])
      while server.requests < 100 { try await Task.sleep(for: .milliseconds(10)) }
      try running.signal(SIGTERM)
      let result = try await running.finish()
      #expect(result.exitCode == 143)
      let json = try JSON(parsing: Array(result.stdout.utf8))
      #expect((json["requests"].integer ?? 0) >= 90)
    }
  }
}
