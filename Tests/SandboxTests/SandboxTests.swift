import Glibc
import Primitives
import TestSupport
import Testing

@testable import Sandbox

/// The sandbox on real servers, through whole lives: start, crash, restart, end.
@Suite struct SandboxTests {
  private static let options = SandboxOptions(durable: false, sharedBuffersMiB: 32)

  /// Lends the sandbox of a fresh directory and destroys it afterwards.
  private func withSandbox(
    in directory: String? = nil, _ body: (Sandbox) async throws -> Void
  ) async throws {
    try await ServerSlots.shared.withSlot {
      let temporary = try TemporaryDirectory("sandbox")
      let sandbox = try Sandbox(directory: directory ?? temporary.path)
      do {
        try await body(sandbox)
      } catch {
        try await sandbox.destroy()
        throw error
      }
      try await sandbox.destroy()
    }
  }

  private func address(of sandbox: Sandbox) throws -> PostgresAddress {
    try PostgresAddress(try sandbox.status(), programs: try sandbox.programs())
  }

  @Test func startsServersWithTheExtensionsAndStopsThem() async throws {
    try await withSandbox { sandbox in
      #expect(try Sandbox.running(in: sandbox.directory) == nil)
      let status = try await sandbox.up(Self.options)
      #expect(status.started == [.postgres, .redis])
      let address = try address(of: sandbox)
      let facts = try await address.sql(
        """
        select current_user, current_database(), current_setting('data_checksums'),
          current_setting('server_encoding'), current_setting('listen_addresses'),
          current_setting('fsync'), current_setting('synchronous_commit'),
          (select rolsuper from pg_roles where rolname = current_user),
          (select pg_get_userbyid(datdba) from pg_database where datname = current_database())
        """, database: "ironforge")
      #expect(facts == [["ironforge", "ironforge", "on", "UTF8", "", "off", "on", "t", "ironforge"]])
      let offered = try await address.sql(
        """
        select name from pg_available_extensions
        where name in ('hypopg', 'pg_stat_statements') order by 1
        """, database: "ironforge")
      let created = try await address.sql(
        "select extname from pg_extension where extname <> 'plpgsql' order by 1", database: "ironforge")
      #expect(created == offered)

      let stopped = try await sandbox.down()
      #expect(stopped.stopped == [.postgres, .redis])
      #expect(!stopped.isRunning)
      #expect(try Sandbox.running(in: sandbox.directory) == nil)
      #expect(try await sandbox.down().stopped.isEmpty)
    }
  }

  @Test func secondUpChangesNothingAndDataSurvivesDown() async throws {
    try await withSandbox { sandbox in
      let first = try await sandbox.up(Self.options)
      try await address(of: sandbox).sql("create table kept (n int)", database: "ironforge")
      let second = try await sandbox.up(Self.options)
      #expect(second.started.isEmpty)
      #expect(second.servers == first.servers)
      _ = try await sandbox.down()
      _ = try await sandbox.up(Self.options)
      let tables = try await address(of: sandbox).sql("select to_regclass('kept')", database: "ironforge")
      #expect(tables == [["kept"]])
      // `reset` is the one that forgets.
      let third = try await sandbox.reset(Self.options)
      #expect(third.started == [.postgres, .redis])
      let forgotten = try await address(of: sandbox).sql(
        "select to_regclass('kept') is null", database: "ironforge")
      #expect(forgotten == [["t"]])
    }
  }

  @Test func concurrentUpsStartOneServer() async throws {
    try await withSandbox { sandbox in
      let starts = try await withThrowingTaskGroup(of: [SandboxServer].self) { group in
        for _ in 0..<4 {
          group.addTask { try await sandbox.up(Self.options).started }
        }
        return try await group.reduce(into: []) { $0 += $1 }
      }
      #expect(starts.sorted { $0.rawValue < $1.rawValue } == [.postgres, .redis])
    }
  }

  @Test func recoversFromKilledServersAndAReusedProcessID() async throws {
    try await withSandbox { sandbox in
      let status = try await sandbox.up(Self.options)
      try await address(of: sandbox).sql("create table kept (n int)", database: "ironforge")
      for server in status.servers.reversed() {
        // Redis first: one of two that has died is away, and where it answers is still known.
        #expect(try Sandbox.running(in: sandbox.directory) == status.addresses)
        try Signals.send(SIGKILL, to: try #require(server.processID))
      }
      try await waitUntil { try !sandbox.status().isRunning }
      #expect(try Sandbox.running(in: sandbox.directory) == nil)

      // As after a reboot: the number in the old pid file belongs to a process that is not ours.
      let data = try #require(status.servers.first).data
      let recorded = try #require(try Files.read(data + "/postmaster.pid"))
      let rest = recorded.drop { !$0.isNewline }
      let stranger = try await Program("/bin/sleep", ["600"]).start()
      try Files.replace(data + "/postmaster.pid", with: "\(stranger.processID)" + rest)
      #expect(try Sandbox.running(in: sandbox.directory) == nil)

      let again = try await sandbox.up(Self.options)
      #expect(again.started == [.postgres, .redis])
      let tables = try await address(of: sandbox).sql("select to_regclass('kept')", database: "ironforge")
      #expect(tables == [["kept"]])
      try stranger.signal(SIGKILL)
      #expect(try await stranger.finish().exitCode == 128 + SIGKILL)
    }
  }

  @Test func restartsARedisThatDoesNotAnswer() async throws {
    try await withSandbox { sandbox in
      let options = SandboxOptions(servers: [.redis], timeout: .seconds(60))
      let status = try await sandbox.up(options)
      #expect(status.servers.first?.processID == nil)
      let process = try #require(status.servers.last?.processID)
      try Signals.send(SIGSTOP, to: process)
      let again = try await sandbox.up(options)
      #expect(again.started == [.redis])
      #expect(again.servers.last?.processID != process)
    }
  }

  @Test func environmentCanBeEvaluated() async throws {
    try await withSandbox { sandbox in
      #expect(throws: SandboxFailure.notRunning(directory: sandbox.directory)) { try sandbox.env() }
      _ = try await sandbox.up(Self.options)
      let addresses = try sandbox.env()
      let script =
        "\(addresses.shellExports)printf '%s\\n%s' \"$IRONFORGE_DATABASE_URL\" \"$IRONFORGE_REDIS_URL\""
      let result = try await Program("/bin/sh", ["-c", script]).run()
      let values = result.stdout.split(separator: "\n").map(String.init)
      #expect(values == [addresses.databaseURL, addresses.redisURL])
      let programs = try #require(try sandbox.programs())
      let psql = try await Program(programs + "/psql", ["-XAtc", "select 7", values[0]]).run()
      #expect(psql.stdout == "7\n")
    }
  }

  @Test func socketsMoveWhenThePathIsTooLong() async throws {
    let temporary = try TemporaryDirectory("long")
    let deep = temporary.path + "/" + String(repeating: "d", count: 90)
    #expect(mkdir(deep, 0o755) == 0)
    try await withSandbox(in: deep) { sandbox in
      let status = try await sandbox.up(Self.options)
      let server = try #require(status.servers.first)
      #expect(server.data.hasPrefix(deep))
      #expect(server.socket.hasPrefix("/tmp/ironforge-"))
      #expect(try await address(of: sandbox).sql("select 1", database: "ironforge") == [["1"]])
    }
  }

  @Test(arguments: ["closed", "with, comma", "$(touch x)", "it's"])
  func everythingMovesWhenTheDirectoryCannotHoldIt(name: String) async throws {
    let temporary = try TemporaryDirectory("far")
    let directory = temporary.path + "/" + name
    // Mode 700 keeps the servers' user out only when root runs the test; the names are awkward for everybody.
    #expect(mkdir(directory, 0o700) == 0)
    try await withSandbox(in: directory) { sandbox in
      let status = try await sandbox.up(Self.options)
      let server = try #require(status.servers.first)
      #expect(server.data.hasPrefix("/tmp/ironforge-") || (name == "closed" && geteuid() != 0))
      #expect(try await address(of: sandbox).sql("select 1", database: "ironforge") == [["1"]])
      #expect(try Sandbox.running(in: directory) == status.addresses)
    }
    #expect(access(directory + "/x", F_OK) != 0)
  }

  @Test func lookingForARunningSandboxIsCheap() async throws {
    try await withSandbox { sandbox in
      _ = try await sandbox.up(Self.options)
      var best = Duration.seconds(1)
      for _ in 0..<50 {
        best = try min(best, ContinuousClock().measure { _ = try Sandbox.running(in: sandbox.directory) })
      }
      #expect(best < .milliseconds(1))
    }
  }

  @Test func anUpThatWaitsForAnotherGivesUpInTime() async throws {
    try await withSandbox { sandbox in
      #expect(mkdir(sandbox.directory + "/.ironforge", 0o755) == 0)
      let held = try await DirectoryLock.acquire(
        in: sandbox.directory, deadline: .after(.seconds(1)))
      var options = Self.options
      options.timeout = .milliseconds(200)
      await #expect(throws: SandboxFailure.busy(directory: sandbox.directory)) {
        try await sandbox.up(options)
      }
      withExtendedLifetime(held) {}
    }
  }

  private func waitUntil(_ condition: () throws -> Bool) async throws {
    let deadline = Deadline.after(.seconds(20))
    while try !condition() {
      try #require(!deadline.hasPassed)
      try await Task.sleep(for: .milliseconds(10))
    }
  }
}
