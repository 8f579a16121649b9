public import Primitives

/// For which time the usage of indexes is known on every server.
public struct UsageCoverage: Sendable {
  /// The share of the time that may be lost on a server, to resets and crashes between two snapshots: 36 hours in 30
  /// days. Ours; with snapshots every hour it takes 36 crashes to lose so much.
  public static let lossMax = 0.05

  /// The longest time until now of which no server has lost more than `lossMax`.
  public let since: Timestamp
  public let until: Timestamp
  /// The most that any one server has lost of it.
  public let lost: Duration
  /// The gaps in it, of all servers, oldest first.
  public let gaps: [(server: String, gap: UsageGap)]

  /// - Parameter now: the end.
  init(_ servers: some Sequence<LedgerServer>, until now: Timestamp) {
    let servers = servers.sorted { $0.id < $1.id }
    // One that has left counted nothing afterwards.
    let starts = servers.map { min($0.coveredFrom, $0.leftAt ?? now, now) }
    let first = starts.max() ?? now
    let candidates = ([first] + servers.flatMap { $0.gaps.map { min($0.to, now) } }).filter { $0 >= first }
    func lost(since start: Timestamp) -> Duration {
      servers.map { $0.lost(from: start, to: now) }.max() ?? .zero
    }
    // From the last of them on nothing is lost, so that one of them does.
    let since = candidates.sorted().first { lost(since: $0) <= (now - $0) * Self.lossMax } ?? now
    self.since = since
    until = now
    self.lost = lost(since: since)
    gaps = servers.flatMap { server in
      server.gaps.filter { $0.duration(from: since, to: now) > .zero }.map { (server: server.name, gap: $0) }
    }.sorted { $0.gap.from < $1.gap.from }
  }

  /// How long it is.
  public var length: Duration { until - since }
}

extension LedgerServer {
  /// How much of a time lies in gaps, each moment once.
  func lost(from start: Timestamp, to end: Timestamp) -> Duration {
    var sum = Duration.zero
    var known = start
    for gap in gaps.sorted(by: { $0.from < $1.from }) {
      sum += gap.duration(from: max(start, known), to: end)
      known = max(known, gap.to)
    }
    return sum
  }
}
