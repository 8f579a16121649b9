import Primitives
import Redis

/// What a hash of fences said at one time: the registry `fence:{ironforge}`, which answers for side hashes that were lost,
/// or a side hash.
///
/// The registry has a field `x:<xid8>` for each transaction that fences and is not known to be over, `floor` and `since` as side
/// hashes do, `birth`, by which a loss of it shows, and `home:<node>/<prefix>` with the identity of the server whose values
/// of that prefix are trusted. It has no end, so that only policies that evict any key evict it.
struct Registry: Sendable, Hashable {
  static func key(_ name: String) -> String { "fence:{\(name)}" }

  var fences: [TransactionID] = []
  var floor: TransactionID?
  var since: TransactionID?
  var birth: String?
  var homes: [String: String] = [:]
  /// Of a side hash: `at`.
  var filledAt: Int64?

  static func homeField(_ node: String, _ prefix: String) -> String { "home:\(node)/\(prefix)" }

  /// - Parameter reply: HGETALL's.
  init(_ reply: Reply) throws {
    let fields = try reply.array() ?? []
    for index in stride(from: 0, to: fields.count - 1, by: 2) {
      guard let name = try fields[index].text(), let value = try fields[index + 1].text() else { continue }
      if name.hasPrefix("x:") {
        fences.append(try TransactionID(text: name.dropFirst(2)))
      } else if name.hasPrefix("home:") {
        homes[name] = value
      } else if name == "floor" {
        floor = try TransactionID(text: value)
      } else if name == "since" {
        since = try TransactionID(text: value)
      } else if name == "birth" {
        birth = value
      } else if name == "at" {
        filledAt = Int64(value)
      }
    }
  }

  /// Reads it.
  ///
  /// - Throws: `RedisError`; `snapshot_malformed` where somebody else has written into it.
  init(_ key: String, in runner: some CommandRunner) throws {
    try self.init(runner.execute(Command("HGETALL", .text(key)), isIdempotent: true))
  }

  /// Whether a load with this snapshot, which must have begun after the registry was read, saw all that may have been fenced.
  func isSeen(by snapshot: DatabaseSnapshot) -> Bool {
    if let since, since >= snapshot.oldestRunning { return false }
    // A load from the primary began when what `floor` stands for was over.
    if let floor, snapshot.isFromStandby, floor >= snapshot.oldestRunning { return false }
    return fences.allSatisfy(snapshot.sees)
  }

  /// What a side hash is told that is not whole, by a load with this snapshot.
  func history(for snapshot: DatabaseSnapshot, fencesMax: Int) -> History {
    var history = History(floor: floor ?? TransactionID(0), since: nil, unseen: [])
    for fence in fences {
      if snapshot.sees(fence) {
        history.floor = max(history.floor, fence)
      } else {
        history.unseen.append(fence)
      }
    }
    if let since {
      if since < snapshot.oldestRunning {
        history.floor = max(history.floor, since)
      } else {
        history.since = since
      }
    }
    if history.unseen.count > fencesMax, let highest = history.unseen.max() {
      history.since = max(history.since ?? highest, highest)
      history.unseen = []
    }
    return history
  }
}

/// What may have been lost with a side hash, as its heir is told.
struct History {
  var floor: TransactionID
  var since: TransactionID?
  var unseen: [TransactionID]
}
