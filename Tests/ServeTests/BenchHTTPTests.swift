import Primitives
import TestSupport
import Testing

/// `ironforge bench http` against `ironforge serve`, in every way that the two can talk.
@Suite struct BenchHTTPTests {
  @Test func clearTextInBothVersions() async throws {
    try await withService { service in
      for options in [[], ["--http2", "--streams", "4"]] {
        let json = try await Self.load("http://127.0.0.1:\(service.port)/api/health", options)
        #expect((json["requests"].integer ?? 0) > 20 && json["errors"].integer == 0, "\(json)")
      }
      let missing = try await Self.load("http://127.0.0.1:\(service.port)/nothing", [])
      #expect(missing["errors_by_code"]["http_404"].integer == missing["requests"].integer)
    }
  }

  @Test func tlsNegotiatesTheVersionAndCertificatesCount() async throws {
    let directory = try TemporaryDirectory("tls")
    let (certificate, key) = (directory.file("cert.pem"), directory.file("key.pem"))
    let made = try await Program(
      "/usr/bin/openssl",
      ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "1"]
        + ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-out", certificate, "-keyout", key]
    ).run()
    #expect(made.exitCode == 0)
    try await withService(["--tls-cert", certificate, "--tls-key", key], scheme: "https") { service in
      let url = "https://127.0.0.1:\(service.port)/api/health"
      for (options, version) in [
        (["--tls-ca", certificate], "HTTP/2"), (["--insecure"], "HTTP/2"),
        (["--insecure", "--http1"], "HTTP/1.1"),
        (["--tls-ca", certificate, "--http2", "--streams", "3"], "HTTP/2"),
      ] {
        let json = try await Self.load(url, options, version: version)
        #expect((json["requests"].integer ?? 0) > 5 && json["errors"].integer == 0, "\(options): \(json)")
      }
      // Nobody has signed it that this machine trusts.
      let stranger = try await Ironforge.run(["bench", "http", url, "--json"])
      #expect(stranger.exitCode == 69 && value("code", in: stranger.stderr) == "tls_failed")
    }
  }

  private static func load(_ url: String, _ options: [String], version: String? = nil) async throws -> JSON {
    let result = try await Ironforge.run(
      ["bench", "http", url, "--json", "--duration", "700ms", "--warmup", "100ms", "--connections", "2"]
        + options)
    #expect([0, 99].contains(result.exitCode), "\(result)")
    if let version { #expect(result.stderr.contains("\"protocol\":\"\(version)\""), "\(result.stderr)") }
    return try JSON(parsing: Array(result.stdout.utf8))
  }
}
