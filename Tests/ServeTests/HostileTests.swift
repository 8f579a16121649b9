import Foundation
import Glibc
import TestSupport
import Testing

/// Requests that mean two things, or too much.
@Suite struct HostileRequestTests {
  /// A request in HTTP/1.1 that ends its connection.
  private static func request(_ line: String, _ fields: String...) -> String {
    ([line] + fields + ["Connection: close", "", ""]).joined(separator: "\r\n")
  }

  @Test func whatMeansTwoThingsIsRefused() async throws {
    try await withService { service in
      let body = "0\r\n\r\nGET /api/ready HTTP/1.1\r\nHost: x\r\n\r\n"
      for (text, code) in [
        (Self.request("GET /api/health HTTP/1.1"), "host_invalid"),
        (Self.request("GET /api/health HTTP/1.1", "Host: a", "Host: b"), "host_invalid"),
        (
          Self.request(
            "POST /api/health HTTP/1.1", "Host: x", "Content-Length: 5", "Transfer-Encoding: chunked") + body,
          nil
        ),
        (
          Self.request(
            "POST /api/health HTTP/1.1", "Host: x", "Transfer-Encoding: chunked", "Content-Length: 5") + body,
          nil
        ),
        (Self.request("POST /x HTTP/1.1", "Host: x", "Content-Length: 5", "Content-Length: 6") + body, nil),
        (Self.request("POST /x HTTP/1.1", "Host: x", "Content-Length: +5") + body, nil),
        (Self.request("POST /x HTTP/1.1", "Host: x", "Transfer-Encoding: chunked, identity") + body, nil),
        (Self.request("GET /x HTTP/1.1", "Host: x", "Bad Name: y"), nil),
        (Self.request("GET /x HTTP/1.1", "Host: x", "A: b\r\n folded"), nil),
      ] {
        let answer = try await service.raw(bytes: Array(text.utf8)).stdout
        #expect(answer.hasPrefix("HTTP/1.1 400 "), "\(text)\n\(answer)")
        // One answer: what stood behind never became a request.
        let answers = answer.matches(of: #/HTTP\/1\.1 \d/#).count
        #expect(answers == 1, "\(text)\n\(answer)")
        if let code { #expect(value("code", in: answer) == code) }
      }
      // An old client names no host, and a proxy may name it in the target.
      let old = try await service.raw(bytes: Array("GET /api/health HTTP/1.0\r\n\r\n".utf8)).stdout
      #expect(old.hasPrefix("HTTP/1.0 200 ") && old.hasSuffix("{\"status\":\"up\"}\n"))
      let absolute = Self.request("GET http://x/api/health HTTP/1.1", "Host: x")
      #expect(try await service.raw(bytes: Array(absolute.utf8)).stdout.hasPrefix("HTTP/1.1 200 "))
    }
  }

  @Test func nobodyWaitsToSendABody() async throws {
    try await withService { service in
      let answer = try await service.get("/api/health", ["-H", "Expect: 100-continue", "-d", "{}"])
      #expect(answer.status == 417)
      let text = Self.request("POST / HTTP/1.1", "Host: x", "Expect: 100-continue", "Content-Length: 9")
      #expect(try await service.raw(bytes: Array(text.utf8)).stdout.hasPrefix("HTTP/1.1 417 "))
    }
  }

  @Test func pathsLeadNowhereElse() async throws {
    try await withService { service in
      for path in [
        "/../etc/passwd", "/api/v1/wallets/..%2f..%2fmetrics", "/api/v1/wallets/%00",
        "/api/v1/wallets/%2e%2e",
        "/api//health", "/api/health/", "/API/health",
        "/api/v1/wallets/\(String(repeating: "f", count: 4000))",
        "/api/v1/wallets/%f0%28%8c%28",
      ] {
        let answer = try await service.get(path, ["--path-as-is"])
        #expect(answer.status == 404, "\(path)")
        #expect(answer.body.hasPrefix("{\"error\":{\"code\":"), "\(path)")
      }
      let long = try await service.get("/api/v1/wallets?user=\(String(repeating: "x", count: 50_000))")
      #expect(long.status == 431)
      #expect(try await service.get("/api/v1/wallets/x?y=1").status == 400)
      // A plus in a path is a plus.
      let made = try await service.town.run("user", "create", "--email", "a+b@example.com", "--name", "A")
      #expect(made.exitCode == 0)
      let wallet = try await service.town.run(
        "wallet", "create", "--user", "a+b@example.com", "--name", "main")
      #expect(wallet.exitCode == 0)
      #expect(try await service.get("/api/v1/wallets/a+b@example.com%2Fmain").status == 200)
    }
  }

  @Test func aLongPipelineIsAnsweredInOrder() async throws {
    try await withService(["--access-log", "none"]) { service in
      let id = try await service.wallet("main")
      let paths = ["/api/health", "/api/v1/wallets/\(id)", "/nowhere"]
      let count = 6000
      var text = ""
      for number in 0..<count { text += "GET \(paths[number % 3]) HTTP/1.1\r\nHost: x\r\n\r\n" }
      text += Self.request("GET /api/ready HTTP/1.1", "Host: x")
      let answers = try await service.raw(bytes: Array(text.utf8), seconds: 50).stdout
      let codes = answers.matches(of: #/HTTP\/1\.1 (?<code>\d+) /#).map { String($0.output.code) }
      #expect(codes.count == count + 1)
      let wanted = (0..<count).map { ["200", "200", "404"][$0 % 3] }
      #expect(Array(codes.dropLast()) == wanted)
      #expect(try await service.get("/api/health").status == 200)
    }
  }

  /// A client that sends request after request and reads no answer gets no more memory than the answers that it was owed when
  /// it stopped, and not for long.
  @Test func aClientThatReadsNothingCostsLittle() async throws {
    try await withService(["--access-log", "none"]) { service in
      let directory = try TemporaryDirectory("flood")
      // More than the kernel takes for a service that has stopped reading; the answers are five gigabytes.
      let file = try directory.write(
        String(repeating: "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", count: 1_000_000), to: "requests")
      let result = try await service.raw("cat '\(file)' >&3; exit", seconds: 55)
      #expect(result.exitCode != 124, "it was not hung up on")
      let status = try String(contentsOfFile: "/proc/\(service.program.processID)/status", encoding: .utf8)
      let peak = status.firstMatch(of: #/VmHWM:\s+(?<kilobytes>\d+) kB/#).flatMap { Int($0.output.kilobytes) }
      #expect(try #require(peak) < 200_000)
      #expect(try await service.get("/api/health").status == 200)
    }
  }

  /// No more connections than are allowed, also while others queue and leave.
  @Test func connectionsAreLimited() async throws {
    try await withService(["--access-log", "none", "--max-connections", "2"]) { service in
      let script = Self.pipelinedAndHeld
      try await withThrowingTaskGroup(of: ProgramResult.self) { group in
        for _ in 0..<6 { group.addTask { try await service.raw(script, seconds: 25) } }
        var counts: [Int] = []
        // On a busy machine the clients come late.
        for _ in 0..<200 where counts.count < 20 || counts.max() == 0 {
          try await Task.sleep(for: .milliseconds(100))
          counts.append(try await Self.sockets(of: service.program.processID, port: service.port))
        }
        // Those that wait stand in the kernel's queue, and some leave it before there is room.
        let most = counts.max() ?? 0
        #expect((1...2).contains(most), "\(counts)")
        for try await _ in group {}
      }
      #expect(try await service.get("/api/health").status == 200)
    }
  }

  /// Asks, keeps the connection for a second and hangs up.
  private static let pipelinedAndHeld =
    #"printf 'GET /api/health HTTP/1.1\r\nHost: x\r\n\r\n' >&3; sleep 1; exec 3<&-; exit 0"#

  /// How many connections to its port a process has accepted.
  private static func sockets(of pid: Int32, port: Int) async throws -> Int {
    let local = ":" + String(port, radix: 16, uppercase: true)
    // Foundation ends at the first short read, and here every read is short.
    let table = try await Program("/bin/cat", ["/proc/net/tcp"]).run().stdout
    var inodes: Set<String> = []
    for line in table.split(separator: "\n").dropFirst() {
      let fields = line.split(separator: " ")
      // 01: established.
      if fields.count > 9, fields[1].hasSuffix(local), fields[3] == "01" { inodes.insert(String(fields[9])) }
    }
    let directory = "/proc/\(pid)/fd"
    return try FileManager.default.contentsOfDirectory(atPath: directory).count { name in
      var target = [CChar](repeating: 0, count: 256)
      let length = readlink("\(directory)/\(name)", &target, target.count)
      let text = String(decoding: target.prefix(max(0, length)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
      return inodes.contains { text == "socket:[\($0)]" }
    }
  }

  /// CVE-2023-44487: streams that are opened and reset at once cost the client nothing.
  @Test func aClientThatResetsItsStreamsIsHungUpOn() async throws {
    try await withService(["--access-log", "none"]) { service in
      var bytes = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + Self.frame(4, 0, 0, [])
      let path = Array("/api/v1/wallets".utf8)
      // HPACK: GET, http, ":authority: x" and ":path" as literals.
      let header: [UInt8] = [0x82, 0x86, 0x01, 1, UInt8(ascii: "x"), 0x04, UInt8(path.count)] + path
      for number in 0..<2000 {
        let stream = UInt32(2 * number + 1)
        bytes += Self.frame(1, 0x05, stream, header) + Self.frame(3, 0, stream, [0, 0, 0, 8])
      }
      let result = try await service.raw(bytes: bytes, seconds: 25)
      #expect(result.exitCode != 124)
      #expect(try await service.get("/api/v1/wallets").status == 200)
      // Those that were being read when their client went end one after the other.
      var metrics = ""
      for _ in 0..<100 where !metrics.contains("\nironforge_http_requests_in_flight 1\n") {
        metrics = try await service.get("/metrics").body
        try await Task.sleep(for: .milliseconds(100))
      }
      #expect(metrics.contains("\nironforge_http_requests_in_flight 1\n"))
    }
  }

  /// RFC 9113 section 4.1.
  private static func frame(_ type: UInt8, _ flags: UInt8, _ stream: UInt32, _ payload: [UInt8]) -> [UInt8] {
    let length = UInt32(payload.count)
    return [UInt8(length >> 16), UInt8(length >> 8 & 255), UInt8(length & 255), type, flags]
      + [24, 16, 8, 0].map { UInt8(stream >> $0 & 255) } + payload
  }
}
