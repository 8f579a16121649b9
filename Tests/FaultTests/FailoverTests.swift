import Glibc
import Postgres
import Primitives
import Synchronization
import TestSupport
import Testing

/// A primary that dies for good, a synchronous standby that takes over, and the commands that are at work meanwhile.
@Suite(.timeLimit(.minutes(6)))
struct FailoverTests {
  private static let bank = "ada@example.com/bank"
  private static let main = "ada@example.com/main"
  private static let savings = "ada@example.com/savings"
  private static let batchRows = 4000
  private static let jobRows = 2000

  /// A town with a table for a job, on a primary whose commits wait for the standby.
  private func withPair(_ body: (Town, PrivatePostgres, PostgresAddress) async throws -> Void) async throws {
    try await withPrivatePostgres { server in
      let town = try await Town(on: server)
      try await server.sql(
        """
        create table public.counters (id bigint primary key, n int not null default 0);
        insert into counters (id) select n from generate_series(1, \(Self.jobRows)) n
        """)
      try await withStandby(of: server) { standby in
        try await server.requireSynchronousStandby()
        try await body(town, server, standby)
      }
    }
  }

  @Test func noAcknowledgedTransferIsLostAndRerunsComplete() async throws {
    let directory = try TemporaryDirectory("failover")
    let rows = (1...Self.batchRows).map { "b\($0),\(Self.bank),\(Self.savings),1,USD\n" }.joined()
    let file = try directory.write("key,from,to,amount,currency\n" + rows, to: "payouts.csv")
    try await withPair { town, server, standby in
      let url = PostgresAddress.failoverURL([server.address, standby], database: "ironforge")
      let replicas = ["IRONFORGE_DATABASE_REPLICAS": standby.url(database: "ironforge")]
      let recorded = try await town.run("index", "snapshot", url: url, env: replicas)
      #expect(recorded.exitCode == 0, "\(recorded)")
      let batchWords = ["transfer", "batch", file, "--chunk-size", "4", "--json"]
      let jobWords = [
        "job", "run", "sql", "--table", "counters", "--key", "id", "--chunk-size", "5", "--max-rate", "200",
        "--statement", "update counters set n = n + 1 where id = any($1)", "--json",
      ]
      let env: [String: String?] = ["IRONFORGE_DATABASE_URL": url]
      let batch = try await Ironforge.start(batchWords, env: env)
      let job = try await Ironforge.start(jobWords, env: env)
      let isOver = Flag()
      async let singles = Self.sendOneByOne(town, url, until: isOver)
      try await Self.wait(
        "select (select count(*) from transfers where key like 'b%') > 100 "
          + "and (select count(*) from transfers where key like 's%') > 2 "
          + "and (select count(*) from counters where n = 1) > 10", on: server)

      try await server.killPostmaster()
      try await standby.promote()

      let batchEnd = try await batch.finish(timeout: .seconds(120))
      let jobEnd = try await job.finish(timeout: .seconds(120))
      try await Task.sleep(for: .seconds(2))
      isOver.raise()
      let ends = try await singles
      #expect([0, 5, 69].contains(batchEnd.exitCode), "\(batchEnd)")
      #expect([0, 69].contains(jobEnd.exitCode), "\(jobEnd)")
      let unknown = ends.filter { ![0, 5, 69].contains($0.result.exitCode) }
      #expect(unknown.isEmpty, "\(unknown)")
      #expect(ends.contains { $0.result.exitCode == 0 })

      // What was acknowledged is there, whichever server acknowledged it.
      let stored = Set(
        try await standby.sql("select key from transfers where status = 'posted'", database: "ironforge")
          .map { $0[0] })
      let lost = ends.filter { $0.result.exitCode == 0 && !stored.contains($0.key) }
      #expect(lost.isEmpty, "\(lost)")

      // The same commands again, where they ended otherwise or not.
      for end in ends where end.result.exitCode != 0 {
        let again = try await town.send(end.key, url: url)
        #expect(again.exitCode == 0, "\(again)")
      }
      let completed = try await town.run(batchWords, url: url)
      #expect(completed.exitCode == 0, "\(completed)")
      if jobEnd.exitCode != 0 {
        let resumed = try await town.run(jobWords, url: url, timeout: .seconds(120))
        #expect(resumed.exitCode == 0 && resumed.stderr.contains("continuing run"), "\(resumed)")
      }
      try await Self.expectSound(town, url, standby, singles: Set(ends.map(\.key)).count)
      let after = try await town.run("index", "snapshot", "--json", url: url)
      #expect(after.exitCode == 0 && after.stdout.contains("\"promoted\":true"), "\(after)")
      #expect(value("name", in: after.stdout) == "\(standby.host):\(standby.port)")
    }
  }

  /// The dead primary comes back as it was, beside the one that replaced it, and stands first in the URL. Nobody
  /// replicates from it any more, so it can acknowledge nothing.
  @Test func aPrimaryThatComesBackAcknowledgesNothing() async throws {
    try await withPair { town, server, standby in
      #expect(try await town.send("before", "5").exitCode == 0)
      try await server.killPostmaster()
      try await standby.promote()
      try await server.start()
      let url = PostgresAddress.failoverURL([server.address, standby], database: "ironforge")
      let impatient = [
        "IRONFORGE_DATABASE_STATEMENT_TIMEOUT_SECS": "1", "IRONFORGE_DATABASE_LOCK_TIMEOUT_SECS": "1",
      ]
      let sent = try await town.send("astray", url: url, env: impatient)
      #expect(sent.exitCode == 5 && value("code", in: sent.stderr) == "outcome_unknown", "\(sent)")
      #expect(sent.stdout == "")
      // Whoever asks the right server learns that nothing happened, and the same key works there.
      let there = standby.url(database: "ironforge")
      let resolved = try await town.run("transfer", "resolve", "astray", "--json", url: there)
      #expect(value("outcome", in: resolved.stdout) == "absent", "\(resolved)")
      #expect(value("code", in: try await town.send("astray", url: there).stdout) == "created")
      #expect(try await town.run("ledger", "verify", url: there).exitCode == 0)
    }
  }

  enum EndOfWait: CaseIterable {
    /// Ctrl-C, which cancels the running statement.
    case interrupt
    case cancel
    /// The connection goes, too; over a new one the transfer is found, though the standby does not have it.
    case terminate
  }

  /// Somebody ends the wait for a standby that is away. PostgreSQL then answers COMMIT with success and a warning, or
  /// not at all; neither is an acknowledgement.
  @Test(arguments: EndOfWait.allCases)
  func aCommitThatNoStandbyConfirmedIsNotCalledDone(by end: EndOfWait) async throws {
    try await withPair { town, server, standby in
      // The standby's receiver stands still: the primary keeps on waiting for it.
      let receiver = try await Self.receiver(of: standby)
      try server.signal(SIGSTOP, process: receiver)
      let env: [String: String?] = [
        "IRONFORGE_DATABASE_URL": server.url, "IRONFORGE_DATABASE_STATEMENT_TIMEOUT_SECS": "2",
        "IRONFORGE_DATABASE_LOCK_TIMEOUT_SECS": "1",
      ]
      let words = [
        "transfer", "--from", Self.bank, "--to", Self.main, "--amount", "1", "--currency", "USD", "--key",
        "k",
        "--json",
      ]
      let running = try await Ironforge.start(words, env: env)
      try await Self.wait(
        "select count(*) = 1 from pg_stat_activity where wait_event = 'SyncRep'", on: server)
      let waiting = "from pg_stat_activity where wait_event = 'SyncRep'"
      switch end {
      case .interrupt: try running.signal(SIGINT)
      case .cancel: try await server.sql("select pg_cancel_backend(pid) \(waiting)")
      case .terminate: try await server.sql("select pg_terminate_backend(pid) \(waiting)")
      }
      let ended = try await running.finish()
      #expect(ended.exitCode == 5 && value("code", in: ended.stderr) == "outcome_unknown", "\(ended)")
      let reason = end == .terminate ? "no answer came" : "no synchronous standby has confirmed"
      #expect(ended.stdout == "" && ended.stderr.contains(reason), "\(ended)")
      try server.signal(SIGCONT, process: receiver)
      let again = try await town.send("k")
      #expect(again.exitCode == 0 && value("code", in: again.stdout) == "exists", "\(again)")
      #expect(try await town.balance("main") == "1.00")
    }
  }

  // MARK: Pieces

  /// Shared by the test and the task that it stops.
  private final class Flag: Sendable {
    private let state = Atomic(false)

    var isRaised: Bool { state.load(ordering: .relaxed) }
    func raise() { state.store(true, ordering: .relaxed) }
  }

  private struct End: Sendable {
    let key: String
    let result: ProgramResult
  }

  /// Single transfers, one after another, each with a key of its own; what ends without success is left for later.
  private static func sendOneByOne(_ town: Town, _ url: String, until isOver: Flag) async throws
    -> [End]
  {
    var ends: [End] = []
    while !isOver.isRaised, ends.count < 2000 {
      let key = "s\(ends.count + 1)"
      ends.append(End(key: key, result: try await town.send(key, url: url, timeout: .seconds(90))))
      if ends.last?.result.exitCode != 0 { try await Task.sleep(for: .milliseconds(200)) }
    }
    return ends
  }

  /// Money moved once, rows were counted once, and every law holds.
  private static func expectSound(
    _ town: Town, _ url: String, _ server: PostgresAddress, singles: Int
  ) async throws {
    let verified = try await town.run("ledger", "verify", "--json", url: url)
    #expect(verified.exitCode == 0, "\(verified)")
    let balances = try await server.sql(
      """
      select w.name, (a.balance / 100)::int from assets a join wallets w on w.id = a.wallet_id
      where w.name in ('main', 'savings') order by w.name
      """, database: "ironforge")
    #expect(balances == [["main", String(singles)], ["savings", String(batchRows)]])
    let counts = try await server.sql(
      "select n, count(*) from counters group by n order by n", database: "ironforge")
    #expect(counts == [["1", String(jobRows)]])
  }

  private static func receiver(of standby: PostgresAddress) async throws -> Int32 {
    let rows = try await standby.sql(
      "select pid from pg_stat_activity where backend_type = 'walreceiver'", database: "postgres")
    guard let process = rows.first.flatMap({ Int32($0[0]) }) else { throw TestFailure("no WAL receiver") }
    return process
  }

  private static func wait(_ condition: String, on server: PrivatePostgres) async throws {
    let deadline = Deadline.after(.seconds(60))
    while try await server.sql(condition) != [["t"]] {
      guard !deadline.hasPassed else { throw TestFailure("never true: \(condition)") }
      try await Task.sleep(for: .milliseconds(20))
    }
  }
}
