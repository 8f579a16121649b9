import Glibc
import Primitives
import TestSupport
import Testing

/// The tools of the other tests, tested themselves: a fault that does not strike would prove nothing.
@Suite struct TestSupportTests {
  private let rows = DatabaseTemplate("rows") { database in
    try await database.sql("create table rows (n int); insert into rows values (1), (2)")
  }

  @Test func databasesAreCopiesThatDoNotSeeEachOther() async throws {
    try await withDatabase(template: rows) { first in
      try await withDatabase(template: rows) { second in
        try await first.sql("delete from rows")
        #expect(try await first.sql("select count(*) from rows") == [["0"]])
        #expect(try await second.sql("select count(*), null, 'a\nb' from rows") == [["2", "", "a\nb"]])
      }
    }
  }

  @Test func aFailingTestDropsItsDatabase() async throws {
    struct Expected: Error {}
    var name = ""
    await #expect(throws: Expected.self) {
      try await withDatabase { database in
        name = database.name
        throw Expected()
      }
    }
    let address = try await SharedPostgres.shared.address()
    let left = try await address.sql(
      "select count(*) from pg_database where datname = '\(name)'", database: "postgres")
    #expect(left == [["0"]])
  }

  @Test func aWrongStatementFailsWithTheServersMessage() async throws {
    try await withDatabase { database in
      let failure = await #expect(throws: TestFailure.self) { _ = try await database.sql("select nothing") }
      #expect(failure?.description.contains("nothing") == true)
    }
  }

  private func psql(_ url: String, _ address: PostgresAddress, _ sql: String) async throws -> ProgramResult {
    try await Program(
      "\(address.programs)/psql", ["-XAtq", "-v", "ON_ERROR_STOP=1", url], stdin: sql
    ).run(timeout: .seconds(20))
  }

  @Test func theProxyForwardsMuchInBothDirections() async throws {
    try await withDatabase { database in
      let proxy = try Proxy(to: database.address)
      let size = 3_000_000
      let text = String(repeating: "x", count: size)
      let result = try await psql(
        proxy.url(database: database.name), database.address, "select '\(text)';")
      #expect(result.stdout.utf8.count == size + 1)
      let tcp = "postgresql://127.0.0.1:\(proxy.port)/\(database.name)?user=ironforge"
      #expect(try await psql(tcp, database.address, "select 5").stdout == "5\n")
      #expect(proxy.connections == 2)
    }
  }

  @Test func aLostReplyWasCommittedAndALostRequestWasNot() async throws {
    try await withDatabase(template: rows) { database in
      let proxy = try Proxy(to: database.address)
      let url = proxy.url(database: database.name)
      proxy.set(.loseRequest(at: "COMMIT"))
      let request = try await psql(url, database.address, "BEGIN; DELETE FROM rows;\nCOMMIT;\n")
      #expect(request.exitCode == 2 && proxy.strikes == 1)
      #expect(try await database.sql("select count(*) from rows") == [["2"]])

      proxy.set(.loseReply(after: "COMMIT"))
      let reply = try await psql(url, database.address, "BEGIN; DELETE FROM rows;\nCOMMIT;\n")
      #expect(reply.exitCode == 2 && proxy.strikes == 2)
      #expect(try await database.sql("select count(*) from rows") == [["0"]])
      // Struck once; the next attempt goes through.
      #expect(try await psql(url, database.address, "COMMIT;\nselect 1").stdout == "1\n")
    }
  }

  @Test func connectionsAreCutHungAndRefused() async throws {
    try await withDatabase { database in
      let proxy = try Proxy(to: database.address)
      let url = proxy.url(database: database.name)
      proxy.set(.cutAfterServerBytes(40))
      #expect(try await psql(url, database.address, "select 1").exitCode == 2)
      proxy.set(.cutAfterClientBytes(4))
      #expect(try await psql(url, database.address, "select 1").exitCode == 2)
      proxy.set(.delay(milliseconds: 100))
      let begin = ContinuousClock.now
      #expect(try await psql(url, database.address, "select 1").stdout == "1\n")
      #expect(begin.duration(to: .now) >= .milliseconds(200))
      proxy.set(.none)
      proxy.accept(false)
      #expect(try await psql(url, database.address, "select 1").exitCode == 2)
      proxy.accept(true)

      let sleeper = Program("\(database.address.programs)/psql", ["-XAtc", "select pg_sleep(30)", url])
      let running = try await sleeper.start()
      let deadline = Deadline.after(.seconds(30))
      let asleep = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'"
      while try await database.sql(asleep) == [["0"]] {
        try #require(!deadline.hasPassed)
      }
      proxy.cutAll()
      #expect(try await running.finish(timeout: .seconds(10)).exitCode == 2)

      proxy.set(.hang)
      let hanging = try await sleeper.start()
      await #expect(throws: TestFailure.self) { try await hanging.finish(timeout: .milliseconds(500)) }
    }
  }

  @Test func aPrivateServerSurvivesWhatIsDoneToIt() async throws {
    try await withPrivatePostgres { server in
      try await server.sql("create table kept (n int); insert into kept values (1)")
      try await server.restart(mode: .immediate)
      #expect(try await server.sql("select n from kept") == [["1"]])
      try await server.killPostmaster()
      await #expect(throws: TestFailure.self) { try await server.sql("select 1") }
      try await server.start()
      #expect(try await server.sql("select n from kept") == [["1"]])
      let backend = try await server.sql(
        "select pid from pg_stat_activity where backend_type = 'autovacuum launcher'")
      try server.signal(SIGKILL, process: try #require(Int32(backend[0][0])))
      try await server.waitUntilReady()
      #expect(try await server.sql("select n from kept") == [["1"]])
    }
  }

  @Test func aPrivateRedisStopsAndStarts() async throws {
    try await withRedis { redis in
      let first = try redis.process()
      try await redis.stop()
      #expect(throws: TestFailure.self) { try redis.process() }
      try await redis.start()
      #expect(try redis.process() != first)
    }
  }

  @Test func programsGetInputEnvironmentAndSignals() async throws {
    let result = try await Program(
      "/bin/sh", ["-c", "cat; echo \"$A-${B-none}\" >&2; exit 7"], environment: ["A": "a", "B": nil],
      stdin: "input"
    ).run()
    #expect(result.exitCode == 7 && result.stdout == "input" && result.stderr == "a-none\n")
    let sleeper = try await Program("/bin/sleep", ["60"]).start()
    try sleeper.signal(SIGINT)
    #expect(try await sleeper.finish().exitCode == 130)
    await #expect(throws: TestFailure.self) {
      try await Program("/bin/sleep", ["60"]).run(timeout: .milliseconds(100))
    }
    await #expect(throws: (any Error).self) { try await Program("/nonexistent").run() }
  }
}
