import Glibc
import Postgres
import Primitives
import TestSupport
import Testing

@Suite struct ServerFaultTests {
  private static let impatient = [
    "IRONFORGE_DATABASE_CONNECT_TIMEOUT_SECS": "2", "IRONFORGE_DATABASE_STATEMENT_TIMEOUT_SECS": "2",
    "IRONFORGE_DATABASE_LOCK_TIMEOUT_SECS": "1",
  ]

  /// A server that is there and silent: `SIGSTOP` to all of it.
  @Test func aSilentServerIsGivenUpInTime() async throws {
    try await withPrivatePostgres { server in
      let town = try await Town(on: server)
      let postmaster = try server.postmaster()
      try server.signal(SIGSTOP, process: postmaster)
      let start = monotonicNanoseconds()
      let result = try await town.send("k", env: Self.impatient)
      let seconds = (monotonicNanoseconds() - start) / 1_000_000_000
      try server.signal(SIGCONT, process: postmaster)
      #expect(
        result.exitCode == 69 && value("code", in: result.stderr) == "database_unreachable", "\(result)")
      #expect(seconds < 20)
      #expect(value("code", in: try await town.send("k").stdout) == "created")
    }
  }

  /// The backend of a transfer stands still while it waits: the client gives it up and says so.
  @Test func aSilentBackendIsGivenUpInTime() async throws {
    try await withPrivatePostgres { server in
      let town = try await Town(on: server)
      #expect(try await town.send("first").exitCode == 0)
      let lock = try Session(connecting: ConnectionString(town.database.url))
      try lock.simple("begin; select from assets for update")
      let start = monotonicNanoseconds()
      // The lock's time-out is the server's, and a server that is stopped keeps no time.
      var patient = Self.impatient
      patient["IRONFORGE_DATABASE_LOCK_TIMEOUT_SECS"] = "60"
      patient["IRONFORGE_DATABASE_STATEMENT_TIMEOUT_SECS"] = "11"
      async let sending = town.send("k", env: patient)
      try await waitForWaiters(1, town)
      let backends = try await town.database.sql(
        "select pid from pg_stat_activity where wait_event_type = 'Lock' and application_name = 'ironforge'")
      let backend = try #require(Int32(backends.first?.first ?? ""))
      try server.signal(SIGSTOP, process: backend)
      try lock.simple("rollback")
      lock.close()
      let sent = try await sending
      let seconds = (monotonicNanoseconds() - start) / 1_000_000_000
      #expect(seconds < 45)
      // COMMIT was never sent, so nothing is in doubt; the row is still locked by the backend that stands still.
      #expect(sent.exitCode == 69 && value("code", in: sent.stderr) == "database_timeout", "\(sent)")
      #expect(sent.stderr.contains("\"retryable\":true"))
      try server.signal(SIGCONT, process: backend)
      let again = try await town.send("k")
      #expect(again.exitCode == 0 && value("code", in: again.stdout) == "created", "\(again)")
      #expect(try await town.balance("main") == "2.00")
      #expect(try await town.run("ledger", "verify").exitCode == 0)
    }
  }

  /// The server dies by `kill -9` of a backend under a transfer and recovers: the command outlives it.
  @Test func aTransferOutlivesACrashOfTheServer() async throws {
    try await withPrivatePostgres { server in
      let town = try await Town(on: server)
      #expect(try await town.send("first").exitCode == 0)
      let lock = try Session(connecting: ConnectionString(town.database.url))
      try lock.simple("begin; select from assets for update")
      async let sending = town.send("k", env: ["IRONFORGE_DATABASE_LOCK_TIMEOUT_SECS": "60"])
      try await waitForWaiters(1, town)
      try server.signal(SIGKILL, process: lock.backendPID)
      let sent = try await sending
      lock.close()
      #expect(sent.exitCode == 0 && value("code", in: sent.stdout) == "created", "\(sent)")
      try await server.waitUntilReady()
      #expect(try await town.balance("main") == "2.00")
    }
  }

  /// The ledger's tables on a file system of their own, which is full.
  @Test(.enabled("mounting a tmpfs takes root") { geteuid() == 0 })
  func aFullDiskChangesNothingAndLaterTheSameKeyWorks() async throws {
    let directory = try TemporaryDirectory("disk")
    let mount = try await Program(
      "/bin/mount", ["-t", "tmpfs", "-o", "size=2m,mode=777", "tmpfs", directory.path]
    ).run()
    try #require(mount.exitCode == 0, "\(mount.stderr)")
    do {
      try await withPrivatePostgres { server in try await Self.fill(directory, server) }
    } catch {
      _ = try await Program("/bin/umount", ["-l", directory.path]).run()
      throw error
    }
    #expect(try await Program("/bin/umount", ["-l", directory.path]).run().exitCode == 0)
  }

  private static func fill(_ directory: TemporaryDirectory, _ server: PrivatePostgres) async throws {
    let town = try await Town(on: server)
    let space = directory.file("space")
    _ = try await Program("/bin/sh", ["-c", "mkdir '\(space)' && chown postgres '\(space)'"]).run()
    try await server.sql(
      """
      create tablespace small location '\(space)';
      alter table transfers set tablespace small;
      """)
    let memo = String(repeating: "m", count: 1000)
    func send(_ key: String) async throws -> ProgramResult {
      try await town.run(
        "transfer", "--from", "ada@example.com/bank", "--to", "ada@example.com/main", "--amount", "1",
        "--currency",
        "USD", "--key", key, "--memo", memo, "--json")
    }
    #expect(try await send("before").exitCode == 0)
    _ = try await Program("/bin/dd", ["if=/dev/zero", "of=\(directory.file("filler"))", "bs=4096"]).run()
    // Seven such rows fill a page; then the table must grow.
    var done = 1
    var failed: ProgramResult?
    while failed == nil, done < 20 {
      let result = try await send("full \(done)")
      if result.exitCode == 0 { done += 1 } else { failed = result }
    }
    let failure = try #require(failed, "the table never had to grow")
    #expect(failure.exitCode == 1 && value("code", in: failure.stderr) == "disk_full", "\(failure)")
    #expect(failure.stderr.contains("free space on the database server; nothing was changed"))
    #expect(try await town.balance("main") == "\(done).00")
    _ = try await Program("/bin/rm", [directory.file("filler")]).run()
    let again = try await send("full \(done)")
    #expect(again.exitCode == 0 && value("code", in: again.stdout) == "created", "\(again)")
    #expect(try await town.balance("main") == "\(done + 1).00")
    #expect(try await town.run("ledger", "verify").exitCode == 0)
  }
}
