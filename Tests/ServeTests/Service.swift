import FoundationEssentials
import TestSupport

/// A running `ironforge serve` over a town and a Redis of its own, asked by curl.
struct Service {
  let town: Town
  let redis: PrivateRedis
  let port: Int
  let program: RunningProgram
  var scheme = "http"

  /// What curl had to say.
  struct Answer {
    let exitCode: Int32
    let version: String
    let status: Int
    /// Lower-case names.
    let headers: [String: String]
    let body: String
  }

  /// Asks for `path`; `options` are curl's.
  func get(_ path: String, _ options: [String] = []) async throws -> Answer {
    let result = try await Program(
      "/usr/bin/curl",
      ["-sSk", "-D", "/dev/stderr", "-w", "\n%{http_version} %{http_code}", "--max-time", "30"] + options
        + ["\(scheme)://127.0.0.1:\(port)\(path)"]
    ).run()
    let lines = result.stdout.split(separator: "\n", omittingEmptySubsequences: false)
    let last = lines.last?.split(separator: " ") ?? []
    var headers: [String: String] = [:]
    for line in result.stderr.split(whereSeparator: \.isNewline) {
      guard let colon = line.firstIndex(of: ":") else { continue }
      headers[line[..<colon].lowercased()] = String(line[line.index(after: colon)...].drop { $0 == " " })
    }
    return Answer(
      exitCode: result.exitCode, version: String(last.first ?? ""), status: Int(last.last ?? "") ?? 0,
      headers: headers, body: lines.dropLast().joined(separator: "\n"))
  }

  /// Sends bytes as they are, and returns what came back until the service hung up.
  func raw(_ script: String, seconds: Int = 30) async throws -> ProgramResult {
    try await Program(
      "/usr/bin/timeout",
      ["\(seconds)", "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/\(port); \(script); cat <&3"]
    ).run()
  }

  /// The same with bytes that no shell has to quote.
  func raw(bytes: [UInt8], seconds: Int = 30) async throws -> ProgramResult {
    let directory = try TemporaryDirectory("raw")
    let file = directory.file("bytes")
    try Data(bytes).write(to: URL(filePath: file))
    return try await raw("cat '\(file)' >&3", seconds: seconds)
  }

  /// Asks for a path until the answer comes from a tier.
  func get(_ path: String, until tier: String) async throws -> Answer {
    var answer = try await get(path)
    for _ in 0..<200 where answer.headers["ironforge-tier"] != tier {
      try await Task.sleep(for: .milliseconds(20))
      answer = try await get(path)
    }
    return answer
  }

  /// The id of a wallet.
  func wallet(_ name: String) async throws -> String {
    guard
      let id = try await town.database.sql("select id from wallets where name = '\(name)' limit 1").first?
        .first
    else { throw TestFailure("no wallet \(name)") }
    return id
  }
}

/// Lends a service to `body`, and ends it.
///
/// - Parameter route: the URL by which the service reaches the town's database, if not the shortest one.
func withService<R: Sendable>(
  _ options: [String] = [], env: [String: String] = [:], scheme: String = "http",
  route: ((Town) throws -> String)? = nil,
  isolation: isolated (any Actor)? = #isolation, _ body: (Service) async throws -> R
) async throws -> R {
  try await withRedis { redis in
    try await withTown { town in
      let port = try PrivateRedis.freePort()
      var environment = env.mapValues { Optional($0) }
      environment["IRONFORGE_DATABASE_URL"] = try route?(town) ?? town.database.url
      environment["IRONFORGE_REDIS_URL"] = redis.url
      environment["IRONFORGE_DATABASE_MIN_CONNECTIONS"] = "1"
      environment["IRONFORGE_DATABASE_MAX_CONNECTIONS"] = "4"
      let program = try await Ironforge.start(
        ["serve", "--listen", "127.0.0.1:\(port)"] + options, env: environment)
      defer { program.kill() }
      let service = Service(town: town, redis: redis, port: port, program: program, scheme: scheme)
      var tries = 0
      while try await service.get("/api/health").status != 200 {
        tries += 1
        guard tries < 200 else { throw TestFailure("the service does not answer") }
        try await Task.sleep(for: .milliseconds(50))
      }
      return try await body(service)
    }
  }
}
