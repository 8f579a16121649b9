import Synchronization

/// What every participant has seen: exact, because a version counts as committed only once its COMMIT has returned, and a
/// reader asks for it before its read begins.
final class Judgement: Sendable {
  private struct State {
    var committed: [Int64]
    var report = RaceReport()
  }

  private let state: Mutex<State>

  init(rows: Int) {
    state = Mutex(State(committed: Array(repeating: 0, count: rows)))
  }

  var report: RaceReport { state.withLock(\.report) }

  /// The newest version of a row whose COMMIT has returned.
  func committed(_ row: Int) -> Int64 { state.withLock { $0.committed[row] } }

  /// COMMIT of these versions has returned.
  func commit(_ versions: [(row: Int, version: Int64)]) {
    state.withLock { state in
      for (row, version) in versions { state.committed[row] = max(state.committed[row], version) }
      state.report.writes += 1
    }
  }

  /// L2 has answered a read that began when `known` was committed.
  func hit(_ key: String, served: Int64, known: Int64) {
    note { report in
      report.reads += 1
      report.hits += 1
      guard served < known else { return }
      report.stale += 1
      if report.staleReads.count < RaceReport.staleReadsMax {
        report.staleReads.append(StaleRead(key: key, served: served, committed: known))
      }
    }
  }

  func note(_ change: (inout RaceReport) -> Void) {
    state.withLock { change(&$0.report) }
  }
}
