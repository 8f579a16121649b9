import TestSupport
import Testing

@Suite struct ConfigCommandTests {
  private static let fileWithSecret = """
    [database]
    url = "postgresql://app:hunter2@db.example:5432/wallet"
    replicas = ["host=replica password=hunter2"]
    [redis]
    url = "redis://:hunter2@cache:6379/0"
    [batch]
    chunk_size = 250
    """

  @Test func showPrintsEveryValueWithItsOrigin() async throws {
    let directory = try TemporaryDirectory()
    try directory.write(Self.fileWithSecret, to: "ironforge.toml")
    let result = try await Ironforge.run(
      ["config", "show"], env: ["IRONFORGE_BATCH_CONCURRENCY": "3"], cwd: directory.path)
    #expect(result.exitCode == 0)
    #expect(result.stderr == "")
    let lines = result.stdout.split(separator: "\n").map {
      $0.split(separator: " ", omittingEmptySubsequences: true)
    }
    #expect(lines.first == ["KEY", "VALUE", "ORIGIN"])
    #expect(lines.contains(["batch.chunk_size", "250", "file", "ironforge.toml:7"]))
    #expect(lines.contains(["batch.concurrency", "3", "environment", "IRONFORGE_BATCH_CONCURRENCY"]))
    #expect(lines.contains(["cache.ttl_jitter", "0.1", "default"]))
    #expect(
      lines.contains([
        "database.url", "postgresql://app:***@db.example:5432/wallet", "file", "ironforge.toml:2",
      ]))
    #expect(lines.count == 30)
  }

  @Test(arguments: ["text", "json", "csv"])
  func noFormatShowsAPassword(format: String) async throws {
    let directory = try TemporaryDirectory()
    try directory.write(Self.fileWithSecret, to: "ironforge.toml")
    let result = try await Ironforge.run(["config", "show", "-o", format], cwd: directory.path)
    #expect(result.exitCode == 0)
    #expect(result.stdout.contains("***"))
    #expect(!(result.stdout + result.stderr).contains("hunter2"))
  }

  @Test func jsonIsOneDocumentAndCSVHasAHeader() async throws {
    let json = try await Ironforge.run(["config", "show", "--json", "--database-url", "host=x password=y"])
    #expect(json.stdout.hasPrefix(#"{"file":null,"values":[{"section":"database","key":"url","#))
    #expect(json.stdout.contains(#""value":"host=x password=***","origin":"flag""#))
    #expect(json.stdout.split(separator: "\n").count == 1)
    let csv = try await Ironforge.run(["config", "show", "-o", "csv"], env: ["PGHOST": "h"])
    #expect(csv.stdout.hasPrefix("section,key,value,origin\r\ndatabase,url,,libpq\r\n"))
  }

  @Test func checkNamesEveryProblemWithItsPlaceAndExits78() async throws {
    let directory = try TemporaryDirectory()
    try directory.write("[batch]\nchunk_sise = 1\nconcurrency = 0\n", to: "bad.toml")
    let text = try await Ironforge.run(["config", "check", "--config", "bad.toml"], cwd: directory.path)
    #expect(text.exitCode == 78)
    #expect(
      text.stdout == """
        bad.toml:2:1: unknown key "chunk_sise" in [batch] (did you mean "chunk_size"?)
        bad.toml:3:15: batch.concurrency must be from 1 to 1000, not 0

        """)
    let json = try await Ironforge.run(
      ["config", "check", "--json", "--config", "bad.toml"], cwd: directory.path)
    #expect(json.exitCode == 78)
    #expect(json.stdout.contains(#""ok":false"#))
    #expect(json.stdout.contains(#""line":2,"column":1"#))
    let csv = try await Ironforge.run(
      ["config", "check", "-o", "csv", "--config", "bad.toml"], cwd: directory.path)
    #expect(csv.stdout.split(separator: "\r\n").count == 3)
  }

  @Test func checkOfAGoodFileOrNoneSucceeds() async throws {
    let directory = try TemporaryDirectory()
    #expect(try await Ironforge.run(["config", "check"], cwd: directory.path).exitCode == 0)
    try directory.write("[batch]\nchunk_size = 1\n", to: "ironforge.toml")
    let result = try await Ironforge.run(
      ["config", "check"], env: ["IRONFORGE_BATCH_CHUNKSIZE": "1"], cwd: directory.path)
    #expect(result.exitCode == 0)
    #expect(result.stdout == "ironforge.toml is fine.\n")
    #expect(result.stderr.contains("IRONFORGE_BATCH_CHUNK_SIZE"))
  }

  @Test func otherCommandsRefuseABadConfigurationWithAllProblems() async throws {
    let directory = try TemporaryDirectory()
    try directory.write("[batch]\nchunk_sise = 1\nconcurrency = 0\n", to: "ironforge.toml")
    let result = try await Ironforge.run(["config", "show", "--json"], cwd: directory.path)
    #expect(result.exitCode == 78)
    #expect(result.stdout == "")
    #expect(
      result.stderr.hasPrefix(#"{"error":{"code":"config_invalid","message":"the configuration has 2 "#))
    #expect(
      result.stderr.contains(#""retryable":false,"exit_code":78,"problems":[{"source":"ironforge.toml""#))
  }

  @Test func aFileThatConfigNamesMustExist() async throws {
    for verb in ["show", "check"] {
      let result = try await Ironforge.run(["config", verb, "--config", "/nonexistent/x.toml"])
      #expect(result.exitCode == 78)
      #expect(
        result.stderr.hasPrefix("error: the configuration file /nonexistent/x.toml does not exist\nhint: "))
    }
  }

  @Test func aNameThatMovesTheCursorIsEscaped() async throws {
    let directory = try TemporaryDirectory()
    try directory.write("\"\\u001b[2J\" = 1\n", to: "ironforge.toml")
    let result = try await Ironforge.run(["config", "check"], cwd: directory.path)
    #expect(result.exitCode == 78)
    #expect(!result.stdout.contains("\u{1B}"))
  }
}
