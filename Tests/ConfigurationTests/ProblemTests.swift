import Configuration
import Testing

@Suite struct ProblemTests {
  @Test func allProblemsAreFoundEachWithLineAndColumn() throws {
    let file = """
      # a comment with max_connections = 0
      [database]
      max_conections = 5
      max_connections = 0
        lock_timeout_secs = "soon"
      [cahce]
      ttl_jitter = 0.5
      [cache]
      ttl_jitter = 1.5
      l2_ttl_secs = 2.5
      [redis]
      cluster = 1
      url = "http://example"
      [http]
      listen = "8088"
      """
    #expect(
      try problems(file) == [
        #"3:1: unknown key "max_conections" in [database] (did you mean "max_connections"?)"#,
        "4:19: database.max_connections must be from 1 to 10000, not 0",
        "5:23: database.lock_timeout_secs must be an integer, not a string",
        #"6:1: unknown section "cahce" (did you mean "cache"?)"#,
        "9:14: cache.ttl_jitter must be from 0 to 0.5, not 1.5",
        "10:15: cache.l2_ttl_secs must be an integer, not a number",
        "12:11: redis.cluster must be true or false, not an integer",
        "13:7: redis.url must be redis://[:password@]host:port/db or unix:///path?db=0",
        "15:10: http.listen must be HOST:PORT with a port from 1 to 65535",
      ])
  }

  @Test(arguments: [
    ("database.max_connections = 0", "1:28: database.max_connections must be from 1 to 10000, not 0"),
    ("database = { max_connections = 0 }", "1:32: database.max_connections must be from 1 to 10000, not 0"),
    ("\"database\".'max_connections' = 0", "1:32: database.max_connections must be from 1 to 10000, not 0"),
    ("database = 5", "1:1: database must be a table: [database]"),
    ("[[database]]\nurl = \"\"", "1:1: database must be a table: [database]"),
    (
      "chunk_size = 5",
      #"1:1: unknown key "chunk_size" outside of any table (did you mean "batch.chunk_size"?)"#
    ),
    (
      "[http]\nchunk_size = 5", #"2:1: unknown key "chunk_size" in [http] (did you mean "batch.chunk_size"?)"#
    ),
    (
      "[database]\nreplicas = [1]",
      "2:12: database.replicas must be an array of strings, not an array of other things"
    ),
    ("[database]\nreplicas = [\"\"]", "2:12: database.replicas has an empty element (number 1)"),
    ("[batch]\nchunk_size = 1979-05-27", "2:14: batch.chunk_size must be an integer, not a date or time"),
    ("[targets]\nerror_rate = nan", "2:14: targets.error_rate must be from 0 to 1, not nan"),
    ("[targets]\nerror_rate = inf", "2:14: targets.error_rate must be from 0 to 1, not inf"),
    (
      "[database]\nmin_connections = 6\nmax_connections = 5",
      "2:19: database.min_connections (6) must not exceed max_connections (5)"
    ),
  ])
  func aProblemIsLocatedHoweverTheKeyIsWritten(file: String, expected: String) throws {
    #expect(try problems(file) == [expected])
  }

  @Test func theDefaultMinimumYieldsToASmallerMaximum() throws {
    let loaded = try load("[database]\nmax_connections = 5")
    #expect(loaded.problems == [])
    #expect(loaded.values.database.minConnections == 5)
  }

  @Test func aBadVariableIsNamed() throws {
    let environment = ["IRONFORGE_BATCH_CHUNK_SIZE": "many", "IRONFORGE_BATCH_CONCURRENCY": "0"]
    #expect(
      try load(environment: environment).problems.map(\.description) == [
        "IRONFORGE_BATCH_CHUNK_SIZE: must be an integer",
        "IRONFORGE_BATCH_CONCURRENCY: must be from 1 to 1000, not 0",
      ])
  }

  @Test func validatedRefusesAllProblemsAtOnce() throws {
    let loaded = try load("[batch]\nchunk_size = 0\nconcurrency = 0")
    let failure = #expect(throws: ConfigurationFailure.self) { try loaded.validated() }
    #expect(failure?.code == "config_invalid")
    #expect(failure?.message.split(separator: "\n").count == 3)
    #expect(try load("[batch]\nchunk_size = 1").validated().values.batch.chunkSize == 1)
  }

  @Test(arguments: [
    "url = \"postgresql://u:hunter2@h/db\" x", "url = postgresql://u:hunter2@h/db", "url = 'hunter2",
    "url = \"\"\"hunter2\n", "url = hunter2", "\"hunter2\" = 1\n\"hunter2\" = 2",
    "url = \"ftp://u:hunter2@h\"",
    "url = \"hunter2\"", "replicas = [\"hunter2\"]", "url = \"hunter2\\q\"", "hunter2",
    "url = \"hunter2\\u0000\"",
    "url = { password = hunter2 }", "url = 12hunter2",
  ])
  func noProblemRepeatsAValue(line: String) throws {
    let found = try problems("[database]\n" + line)
    #expect(!found.isEmpty)
    for problem in found where !line.hasPrefix("hunter2") && !line.hasPrefix("\"hunter2") {
      #expect(!problem.contains("hunter2"))
    }
    #expect(found.allSatisfy { $0.first?.isNumber == true }, "no position: \(found)")
  }
}
