import Postgres
import Primitives
import TestSupport
import Testing

/// Twenty processes try to capture, void and reverse the same holds at the same time, while connections are cut.
@Suite struct ResolutionRaceTests {
  private static let holds = 12
  private static let processes = 20

  /// Each process goes through all holds, in an order and with a key of its own: capture, void, reverse in turn.
  private static let worker = """
    for n in $(seq 0 $((HOLDS - 1)) | shuf --random-source=<(yes "$WORKER")); do
      case $(((WORKER + n) % 3)) in
        0) verb=capture;; 1) verb=void;; 2) verb=reverse;;
      esac
      for try in 1 2 3; do
        "$BIN" transfer $verb "h-$n" --key "$verb-$n-$WORKER" --json >"$LOG.out" 2>>"$LOG.err"
        code=$?
        [ $code = 69 ] || [ $code = 5 ] || break
      done
      echo "$verb $n $code $(sed 's/.*"code":"\\([a-z_]*\\)".*/\\1/' "$LOG.out")"
    done
    """

  @Test(.timeLimit(.minutes(3))) func eachHoldIsResolvedOnceAndReversedAtMostOnce() async throws {
    try await withTown { town in
      _ = try await town.send("fund", "1000")
      for number in 0..<Self.holds {
        let held = try await town.run(
          "transfer", "hold", "--from", "ada@example.com/main", "--to", "ada@example.com/savings", "--amount",
          "10",
          "--currency", "USD", "--key", "h-\(number)")
        #expect(held.exitCode == 0, "\(held)")
      }
      let lines = try await race(town)
      #expect(lines.count == Self.holds * Self.processes)
      for number in 0..<Self.holds {
        let mine = lines.filter { $0[1] == "\(number)" }
        func count(_ verb: String) -> Int { mine.count { $0[0] == verb && $0[2] == "0" } }
        #expect(count("capture") + count("void") == 1, "hold \(number): \(mine)")
        #expect(count("reverse") <= count("capture"), "hold \(number): \(mine)")
        let others = Set(mine.filter { $0[2] != "0" }.map { $0[3] })
        #expect(
          others.isSubset(of: ["hold_not_pending", "transfer_not_posted", "exceeds_reversible_amount"]),
          "\(others)")
        #expect(mine.allSatisfy { $0[2] == "0" || $0[2] == "4" }, "\(mine)")
      }
      let captured = lines.count { $0[0] == "capture" && $0[2] == "0" }
      let reversed = lines.count { $0[0] == "reverse" && $0[2] == "0" }
      #expect(try await town.balance("savings") == "\((captured - reversed) * 10).00")
      let verified = try await town.run("ledger", "verify", "--json")
      #expect(verified.exitCode == 0, "\(verified)")
    }
  }

  private func race(_ town: Town) async throws -> [[String]] {
    let directory = try TemporaryDirectory("race")
    let binary = try Ironforge.path()
    var lines: [[String]] = []
    try await withThrowingTaskGroup(of: ProgramResult.self) { group in
      for number in 0..<Self.processes {
        group.addTask {
          try await Program(
            "/bin/bash", ["-c", Self.worker],
            environment: [
              "BIN": .some(binary), "WORKER": .some("\(number)"), "HOLDS": .some("\(Self.holds)"),
              "LOG": .some(directory.file("\(number)")), "IRONFORGE_DATABASE_URL": .some(town.database.url),
            ], directory: directory.path
          ).run(timeout: .seconds(150))
        }
      }
      for _ in 0..<6 {
        try await Task.sleep(for: .milliseconds(250))
        try await town.database.sql(
          """
          select pg_terminate_backend(pid) from pg_stat_activity
          where application_name = 'ironforge' and datname = current_database() and random() < 0.5
          """)
      }
      for try await result in group {
        lines += result.stdout.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
      }
    }
    return lines
  }
}
