import Configuration
import Glibc
import Primitives
import Testing

@Suite struct PrecedenceTests {
  private func setting(_ name: String) throws -> Setting {
    try #require(Setting.all.first { $0.name == name })
  }

  @Test func withNothingGivenTheDefaultsOfTheContractHold() throws {
    let loaded = try load()
    #expect(loaded.values == Configuration())
    #expect(loaded.values.database.maxConnections == 50)
    #expect(loaded.values.cache.ttlJitter == 0.10)
    #expect(loaded.values.http.listen == "127.0.0.1:8088")
    #expect(loaded.file == nil)
    for setting in Setting.all { #expect(loaded.origin(of: setting) == .default) }
  }

  @Test func theFileBeatsDefaultsTheEnvironmentBeatsTheFileAFlagBeatsAll() throws {
    let file = """
      [database]
      url = "postgresql://file/db"
      [batch]
      chunk_size = 7
      """
    let name = try setting("database.url")
    let fromFile = try load(file)
    #expect(fromFile.values.batch.chunkSize == 7)
    #expect(try fromFile.database().value == "postgresql://file/db")
    #expect(fromFile.origin(of: name).description.hasSuffix("ironforge.toml:2"))

    let environment = ["IRONFORGE_DATABASE_URL": "postgresql://env/db", "IRONFORGE_BATCH_CHUNK_SIZE": "9"]
    let fromEnvironment = try load(file, environment: environment)
    #expect(fromEnvironment.values.batch.chunkSize == 9)
    #expect(fromEnvironment.origin(of: name) == .environment("IRONFORGE_DATABASE_URL"))
    #expect(fromEnvironment.origin(of: name).description == "environment IRONFORGE_DATABASE_URL")

    let fromFlag = try load(file, environment: environment, databaseURL: "postgresql://flag/db")
    #expect(try fromFlag.database() == Sourced("postgresql://flag/db", from: .flag))
  }

  @Test func databaseURLComesAfterTheFileAndBeforeLibpqAndLibpqBeforeTheSandbox() throws {
    let sandbox: @Sendable (String) -> SandboxURLs? = { _ in ("postgresql:///sandbox", "unix:///sandbox") }
    let general = [
      "DATABASE_URL": "postgresql://general/db", "PGHOST": "libpq", "REDIS_URL": "redis://general",
    ]
    let file = "[database]\nurl = \"postgresql://file/db\""
    #expect(try load(file, environment: general, sandbox: sandbox).database().value == "postgresql://file/db")
    let fromGeneral = try load("[database]\nurl = \"\"", environment: general, sandbox: sandbox)
    #expect(
      try fromGeneral.database() == Sourced("postgresql://general/db", from: .environment("DATABASE_URL")))
    #expect(try fromGeneral.findRedis() == Sourced("redis://general", from: .environment("REDIS_URL")))
    let fromLibpq = try load(environment: ["PGSERVICE": "wallet"], sandbox: sandbox)
    #expect(try fromLibpq.database() == Sourced("", from: .libpq))
    let fromSandbox = try load(environment: ["PGPASSWORD": "x", "PGHOST": ""], sandbox: sandbox)
    #expect(try fromSandbox.database() == Sourced("postgresql:///sandbox", from: .sandbox))
    #expect(try fromSandbox.findRedis() == Sourced("unix:///sandbox", from: .sandbox))
  }

  @Test func withoutAServerTheErrorNamesTheSandbox() throws {
    let loaded = try load()
    let failure = #expect(throws: ConfigurationFailure.databaseNotConfigured) { try loaded.database() }
    #expect(failure?.code == "database_not_configured")
    #expect(failure?.kind == .configuration)
    #expect(failure?.hint?.contains("ironforge sandbox up") == true)
    #expect(try loaded.findRedis() == nil)
    #expect(throws: ConfigurationFailure.redisNotConfigured) { try loaded.redis() }
  }

  @Test func everySettingHasAVariable() throws {
    var environment: [String: String] = [:]
    for setting in Setting.all {
      environment[setting.environmentName] =
        switch setting.value(in: Configuration()) {
        case .text:
          setting.key == "listen" ? "0.0.0.0:1" : "\(setting.section == "redis" ? "redis" : "postgres")://h"
        case .list: "host=a;postgresql://b"
        case .boolean: "true"
        case .integer: "3"
        case .number: "0.5"
        }
    }
    let loaded = try load(environment: environment)
    #expect(loaded.problems == [])
    #expect(loaded.values.database.replicas == ["host=a", "postgresql://b"])
    #expect(loaded.values.redis.cluster)
    #expect(loaded.values.targets.cacheHitRate == 0.5)
    for setting in Setting.all {
      #expect(loaded.origin(of: setting) == .environment(setting.environmentName))
      #expect(setting.value(in: loaded.values) != setting.value(in: Configuration()))
    }
  }

  @Test func aVariableThatNamesNoSettingIsAWarningWithASuggestion() throws {
    let loaded = try load(environment: ["IRONFORGE_BATCH_CHUNKSIZE": "5", "IRONFORGE_NODE": "x"])
    #expect(loaded.problems == [])
    #expect(loaded.warnings.count == 1)
    #expect(loaded.warnings.first?.contains("IRONFORGE_BATCH_CHUNK_SIZE") == true)
  }

  @Test func filesAreLookedForInTheOrderOfTheContract() throws {
    let scratch = try ScratchDirectory()
    var request = ConfigurationRequest(
      environment: Environment(["XDG_CONFIG_HOME": scratch.path + "/config"]), directory: scratch.path)
    request.systemFile = try scratch.write("system.toml", Array("[batch]\nchunk_size = 1".utf8))
    #expect(try LoadedConfiguration.load(request).values.batch.chunkSize == 1)
    try scratch.makeDirectory("config")
    try scratch.makeDirectory("config/ironforge")
    _ = try scratch.write("config/ironforge/config.toml", Array("[batch]\nchunk_size = 2".utf8))
    #expect(try LoadedConfiguration.load(request).values.batch.chunkSize == 2)
    _ = try scratch.write("ironforge.toml", Array("[batch]\nchunk_size = 3".utf8))
    #expect(try LoadedConfiguration.load(request).values.batch.chunkSize == 3)
    request.file = try scratch.write("other.toml", Array("[batch]\nchunk_size = 4".utf8))
    #expect(try LoadedConfiguration.load(request).values.batch.chunkSize == 4)
    request.file = scratch.path + "/missing.toml"
    #expect(throws: ConfigurationFailure.notFound(path: scratch.path + "/missing.toml")) {
      try LoadedConfiguration.load(request)
    }
    request.file = scratch.path
    let failure = #expect(throws: ConfigurationFailure.self) { try LoadedConfiguration.load(request) }
    #expect(failure?.code == "config_unreadable")
  }

  @Test func theEnvironmentOfTheProcessIsRead() {
    setenv("IRONFORGE_TEST_VARIABLE", "as it is", 1)
    defer { unsetenv("IRONFORGE_TEST_VARIABLE") }
    #expect(Environment.process()["IRONFORGE_TEST_VARIABLE"] == "as it is")
    #expect(Environment.process()["PATH"] == nil)
  }
}
