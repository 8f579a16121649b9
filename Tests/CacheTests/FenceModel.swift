import Primitives

@testable import Cache

/// A primary and a standby as far as transaction ids, row locks, visibility and lag go: what PostgreSQL tells the cache.
struct FenceModel {
  struct Writer {
    var keys: [Int]
    var isFenced = false
    /// Taken at its beginning: as old as a writer's snapshot can be.
    var snapshot: DatabaseSnapshot
  }

  private enum Record {
    case begin(UInt64)
    case end(UInt64, [Int: Int])
  }

  private(set) var next: UInt64 = 100
  private(set) var writers: [UInt64: Writer] = [:]
  /// The committed version of each key.
  private(set) var committed: [Int]
  private var lastVersion = 0
  private var log: [Record] = []
  private var replayed = 0
  private var standbyVersions: [Int]
  private var standbyRunning: Set<UInt64> = []
  private var standbyNext: UInt64 = 100

  init(keys: Int) {
    committed = Array(repeating: 0, count: keys)
    standbyVersions = committed
  }

  /// What a statement on the primary sees now.
  func snapshot() throws -> DatabaseSnapshot {
    try Self.snapshot(running: writers.keys.sorted(), next: next, isFromStandby: false)
  }

  private static func snapshot(running: [UInt64], next: UInt64, isFromStandby: Bool) throws
    -> DatabaseSnapshot
  {
    // A standby does not name what runs.
    let list = isFromStandby ? "" : running.map(String.init).joined(separator: ",")
    return try DatabaseSnapshot(
      text: "\(running.first ?? next):\(next):\(list)", isFromStandby: isFromStandby)
  }

  /// Begins a transaction that writes those of the keys that nobody else is writing.
  mutating func begin(_ keys: [Int]) throws -> Bool {
    let locked = Set(writers.values.flatMap(\.keys))
    let free = keys.filter { !locked.contains($0) }
    guard !free.isEmpty else { return false }
    let seen = try snapshot()
    writers[next] = Writer(keys: free, snapshot: seen)
    log.append(.begin(next))
    next += 1
    return true
  }

  mutating func fence(_ number: UInt64) { writers[number]?.isFenced = true }

  mutating func end(_ number: UInt64, commits: Bool) {
    guard let writer = writers.removeValue(forKey: number) else { return }
    var versions: [Int: Int] = [:]
    if commits {
      lastVersion += 1
      for key in writer.keys {
        versions[key] = lastVersion
        committed[key] = lastVersion
      }
    }
    log.append(.end(number, versions))
  }

  /// A transaction that is over at once, and those that have fenced: no others need to bear the mark.
  mutating func horizon() -> Horizon {
    defer { next += 1 }
    log += [.begin(next), .end(next, [:])]
    let fencing = writers.filter(\.value.isFenced).keys.sorted()
    return Horizon(latest: TransactionID(next), fencing: fencing.map(TransactionID.init))
  }

  mutating func replay(_ count: Int) {
    for record in log[replayed..<min(replayed + count, log.count)] {
      replayed += 1
      switch record {
      case .begin(let number):
        standbyRunning.insert(number)
        standbyNext = number + 1
      case .end(let number, let versions):
        standbyRunning.remove(number)
        for (key, version) in versions { standbyVersions[key] = version }
      }
    }
  }

  /// What a load returns.
  func load(_ key: Int, fromStandby: Bool) throws -> LoadedValue {
    let version = fromStandby ? standbyVersions[key] : committed[key]
    let seen =
      fromStandby
      ? try Self.snapshot(running: standbyRunning.sorted(), next: standbyNext, isFromStandby: true)
      : try snapshot()
    return LoadedValue(.text(String(version)), snapshot: seen)
  }
}
