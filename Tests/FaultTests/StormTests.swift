import Glibc
import Postgres
import Primitives
import Synchronization
import TestSupport
import Testing

/// Sixteen processes move money among eight wallets in both directions while their connections are terminated and the
/// server is stopped as by a crash (Jepsen's bank test, with more that goes wrong).
@Suite struct StormTests {
  private static let wallets = 8
  private static let workers = 16
  private static let rounds = 20
  private static let funds = 1000

  /// One worker: each request is logged with its exit code after it, and what it said.
  private static let worker = """
    for n in $(seq "$ROUNDS"); do
      from=$((RANDOM % 8)); to=$(((from + 1 + RANDOM % 7) % 8)); amount=$((1 + RANDOM % 400))
      "$BIN" transfer --from "ada@example.com/w$from" --to "ada@example.com/w$to" --amount "$amount" --currency USD \\
        --key "s-$WORKER-$n" --json >/dev/null 2>"$LOG.err"
      code=$?
      cat "$LOG.err" >>"$LOG.stderr"
      echo "s-$WORKER-$n $code $from $to $amount" >>"$LOG"
    done
    cat "$LOG" 2>/dev/null; cat "$LOG.stderr" >&2
    """

  private struct Invocation {
    let key: String
    let exit: Int32
    let arguments: [String]
  }

  @Test(.timeLimit(.minutes(3))) func noMoneyIsLostMadeOrMovedTwice() async throws {
    try await withPrivatePostgres { server in
      let town = try await Town(on: server)
      for number in 0..<Self.wallets {
        let made = try await town.run("wallet", "create", "--user", "ada@example.com", "--name", "w\(number)")
        let funded = try await town.send("fund \(number)", to: "ada@example.com/w\(number)", "\(Self.funds)")
        #expect(made.exitCode == 0 && funded.exitCode == 0)
      }
      let (log, complaints, snapshots) = try await storm(server, town)
      #expect(log.count == Self.workers * Self.rounds)
      #expect(snapshots > 3, "the reader saw something")
      for word in ["deadlock", "40P01", "40001", "duplicate key", "violates"] {
        #expect(!complaints.contains(word), "\(word) reached a user")
      }
      try await judge(log, town)
      let verified = try await town.run("ledger", "verify", "--json")
      #expect(verified.exitCode == 0, "\(verified)")
    }
  }

  /// - Returns: what every request ended with, all that was said on stderr, and how many snapshots were read.
  private func storm(
    _ server: PrivatePostgres, _ town: Town
  ) async throws -> (log: [Invocation], complaints: String, snapshots: Int) {
    let directory = try TemporaryDirectory("storm")
    let binary = try Ironforge.path()
    let calm = Calm()
    let chaos = Task { try await wreck(server, until: calm) }
    let reader = Task { try await watch(town, until: calm) }
    var log: [Invocation] = []
    var complaints = ""
    try await withThrowingTaskGroup(of: ProgramResult.self) { group in
      for number in 0..<Self.workers {
        group.addTask {
          try await Program(
            "/bin/bash", ["-c", Self.worker],
            environment: [
              "BIN": .some(binary), "WORKER": .some("\(number)"), "ROUNDS": .some("\(Self.rounds)"),
              "LOG": .some(directory.file("\(number)")), "IRONFORGE_DATABASE_URL": .some(server.url),
            ], directory: directory.path
          ).run(timeout: .seconds(150))
        }
      }
      for try await result in group {
        complaints += result.stderr
        log += try result.stdout.split(separator: "\n").map(Self.invocation)
      }
    }
    calm.hasCome.withLock { $0 = true }
    #expect(try await chaos.value > 0, "the server crashed at least once")
    return (log, complaints, try await reader.value)
  }

  private static func invocation(_ line: Substring) throws -> Invocation {
    let words = line.split(separator: " ").map(String.init)
    let exit = try #require(Int32(words[1]))
    return Invocation(
      key: words[0], exit: exit,
      arguments: [
        "transfer", "--from", "ada@example.com/w\(words[2])", "--to", "ada@example.com/w\(words[3])",
        "--amount",
        words[4], "--currency", "USD", "--key", words[0], "--json",
      ])
  }

  /// Says that all workers are done. Not the cancellation of a task, which would leave a server stopped half-way.
  private final class Calm: Sendable {
    let hasCome = Mutex(false)
  }

  /// Terminates connections again and again, and every now and then the whole server. Leaves it running.
  ///
  /// - Returns: how often the server was stopped.
  private func wreck(_ server: PrivatePostgres, until calm: Calm) async throws -> Int {
    var restarts = 0
    var round = 0
    while !calm.hasCome.withLock({ $0 }) {
      try await Task.sleep(for: .milliseconds(200))
      round += 1
      if round % 6 == 3, restarts < 4 {
        try await server.restart(mode: .immediate)
        restarts += 1
      } else {
        try await server.sql(
          "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'ironforge'")
      }
    }
    return restarts
  }

  /// Reads snapshots until the end; each has all the money, and nobody has less than nothing.
  private func watch(_ town: Town, until calm: Calm) async throws -> Int {
    var seen = 0
    while !calm.hasCome.withLock({ $0 }) {
      let rows: [[String]]
      do {
        rows = try await town.database.sql(
          "select sum(balance), min(balance) >= 0, count(*) from assets where wallet_kind = 'standard'")
      } catch {
        // The server is down for a moment.
        continue
      }
      #expect(rows == [["\(Self.wallets * Self.funds * 100)", "t", "\(Self.wallets)"]])
      seen += 1
    }
    return seen
  }

  /// Compares what the users were told with what is stored, settles what they do not know, and sends the rest again.
  private func judge(_ log: [Invocation], _ town: Town) async throws {
    let stored = try await town.database.sql(
      "select key, status, coalesce(code, '') from transfers where key like 's-%'")
    let status = Dictionary(stored.map { ($0[0], $0[1]) }) { _, _ in "twice" }
    var counts: [Int32: Int] = [:]
    for invocation in log {
      counts[invocation.exit, default: 0] += 1
      let found = status[invocation.key]
      switch invocation.exit {
      case 0: #expect(found == "posted", "\(invocation.key) was acknowledged")
      case 4: #expect(found == "refused", "\(invocation.key) was refused")
      case 5:
        let resolved = try await town.run("transfer", "resolve", invocation.key, "--json")
        let outcome = ["posted": "committed", "refused": "rejected"][found ?? ""] ?? "absent"
        #expect(resolved.exitCode == 0 && value("outcome", in: resolved.stdout) == outcome)
      default:
        #expect(invocation.exit == 69, "\(invocation.key) ended with \(invocation.exit)")
        #expect(found == nil, "\(invocation.key) is said not to have happened")
      }
    }
    #expect(counts[0, default: 0] > Self.workers, "most of it gets through: \(counts)")
    // Sent again, every request has an outcome, and one that had one keeps it.
    let again = log.filter { ![0, 4].contains($0.exit) } + log.shuffled().prefix(8)
    for invocation in again {
      let result = try await town.run(invocation.arguments)
      #expect([0, 4].contains(result.exitCode), "\(result)")
      if [0, 4].contains(invocation.exit) { #expect(result.exitCode == invocation.exit) }
    }
    let total = try await town.database.sql(
      "select sum(balance), min(balance) >= 0 from assets where wallet_kind = 'standard'")
    #expect(total == [["\(Self.wallets * Self.funds * 100)", "t"]])
    let once = try await town.database.sql(
      "select count(*), count(distinct key) from transfers where key like 's-%'")
    #expect(once == [["\(log.count)", "\(log.count)"]])
  }
}
