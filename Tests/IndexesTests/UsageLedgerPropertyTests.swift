import Primitives
import TestSupport
import Testing

@testable import Indexes

/// Whatever happens to the servers between snapshots, and whichever of them are heard: no scan is counted that was not
/// there, and no time counts as known in which one was missed.
@Suite(.timeLimit(.minutes(2))) struct UsageLedgerPropertyTests {
  private struct Scan {
    let at: Int64
    let server: Int
    let index: Int
  }

  /// A run of random events, with what was true.
  private struct Course {
    var model: ServerModel
    var ledger = UsageLedger()
    var random: SeededGenerator
    var scans: [Scan] = []
    /// Entries of the ledger that a server was taken for.
    var entries: [Int: Set<Int32>] = [:]
    /// The last of them.
    var entry: [Int: Int32] = [:]
    /// When each server was last heard.
    var heardAt: [Int: Int64] = [:]
    var rebuilt: [(at: Int64, index: Int)] = []
    /// Times in which an index lost its own counters: the ledger says how long they are.
    var excused: [(index: Int, server: Int, from: Int64, to: Int64)] = []
    /// Before an index was rebuilt, where no snapshot had been taken by then.
    var unknown: [(index: Int, server: Int, until: Int64)] = []
    var primary = 0
    var log: [String] = []

    init(seed: UInt64) {
      random = SeededGenerator(seed: seed)
      model = ServerModel(servers: 3, indexes: 3)
      model.tellsLastScan = Bool.random(using: &random)
    }

    mutating func pick(_ count: Int) -> Int { Int.random(in: 0..<count, using: &random) }

    var isRecorded = false

    mutating func step() {
      isRecorded = false
      model.wait(Int64(1 + pick(50)))
      let (server, index) = (pick(3), pick(3))
      switch pick(20) {
      case 0..<8:
        let times = 1 + pick(5)
        note("scan \(index) on \(server) × \(times)")
        model.scan(index, on: server, times: Int64(times))
        scans += (0..<times).map { _ in Scan(at: model.now, server: server, index: index) }
      case 8:
        note("reset \(server)")
        model.reset(server)
      case 9:
        note("reset \(index) on \(server)")
        model.resetOne(index, on: server)
      case 10:
        let isWhole = pick(2) == 0
        note("crash \(server) \(isWhole)")
        model.crash(server, isWhole: isWhole)
      case 11:
        note("restart \(server)")
        model.restart(server)
      case 12:
        note("reset_shared \(server)")
        model.resetShared(server)
      case 13:
        note("rebuild \(index)")
        model.rebuild(index, keepsCounters: pick(2) == 0)
        rebuilt.append((at: model.now, index: index))
      case 14:
        note("promote \(server)")
        for place in model.servers.indices { model.servers[place].isStandby = place != server }
        primary = server
      default: snapshot()
      }
    }

    mutating func note(_ text: String) { log.append("\(model.now): \(text)") }

    mutating func snapshot() {
      let others = model.servers.indices.filter { $0 != primary && pick(4) > 0 }
      let heard = [primary] + others
      // A server that is not heard is expected, or has left.
      let unheard = model.servers.indices.filter { !heard.contains($0) && pick(3) > 0 }
      isRecorded = true
      note("snapshot of \(heard), not of \(unheard)")
      let change = model.snapshot(&ledger, of: heard, unheard: Set(unheard.map { model.servers[$0].name }))
      for (server, (id, _)) in zip(heard, change.heard) {
        entries[server, default: []].insert(id)
        entry[server] = id
        let before = heardAt[server]
        for (at, index) in rebuilt {
          // Of a server that is new here, and of an index that is, nobody knows what it was before.
          if before == nil { unknown.append((index: index, server: server, until: at)) }
          if let before, at > before {
            excused.append((index: index, server: server, from: before, to: model.now))
          }
        }
        heardAt[server] = model.now
      }
    }

    /// What the ledger says wrongly.
    var problems: [String] {
      var problems: [String] = []
      for index in model.oids.indices {
        let (known, actual) = (model.known(index, in: ledger), scans.count { $0.index == index })
        if known > actual { problems.append("\(known) scans of \(index) are known, but \(actual) were made") }
      }
      for scan in scans where scan.at <= heardAt[scan.server] ?? 0 {
        let usedAt = model.entry(scan.index, in: ledger)?.usedAt
        if let usedAt, usedAt >= ServerModel.time(scan.at) { continue }
        if !isExcused(scan) {
          problems.append("the scan of \(scan.index) on \(scan.server) at \(scan.at) is not known")
        }
      }
      return problems
    }

    func isExcused(_ scan: Scan) -> Bool {
      let at = ServerModel.time(scan.at)
      let servers = entries[scan.server, default: []].compactMap { ledger.servers[$0] }
      // Nothing is known of the whole cluster before one of its servers was.
      if let server = entry[scan.server].flatMap({ ledger.servers[$0] }), at <= server.coveredFrom {
        return true
      }
      if servers.contains(where: { $0.gaps.contains { $0.from <= at && at <= $0.to } }) { return true }
      let entry = model.entry(scan.index, in: ledger)
      let firstSeen = entry?.firstSeen ?? at
      let isBefore = unknown.contains {
        $0.index == scan.index && $0.server == scan.server && scan.at <= $0.until
      }
      let seconds = entry?.lostSeconds ?? 0
      if isBefore, at <= firstSeen || seconds > 0 { return true }
      let lost = excused.filter {
        $0.index == scan.index && $0.server == scan.server && $0.from <= scan.at && scan.at <= $0.to
      }
      return lost.contains { seconds >= $0.to - $0.from }
    }
  }

  @Test(arguments: seeds(fresh: 5)) func neverCountsTooMuchNorClaimsToKnow(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    for _ in 0..<60 {
      let courseSeed = random.next()
      var course = Course(seed: courseSeed)
      for _ in 0..<120 {
        course.step()
        // In between the ledger does not know a rebuilt index by its new OID.
        let problems = course.isRecorded ? course.problems : []
        guard problems.isEmpty else {
          Issue.record("seed \(seed), course \(courseSeed): \(problems)\n\(course.log.suffix(25))")
          return
        }
      }
    }
  }
}
