public import Primitives

/// What one snapshot found and recorded.
public struct UsageSnapshot: Sendable {
  /// One server that was heard.
  public struct Server: Sendable {
    public let name: String
    public let isStandby: Bool
    public let timeline: Int32
    /// From when on what it counts is known, apart from gaps.
    public let coveredFrom: Timestamp
    /// Whether it was never heard before.
    public let isNew: Bool
    /// Whether it was a standby at the snapshot before, and is the primary now.
    public let isPromoted: Bool
    /// The time that it has lost since the snapshot before.
    public let gap: UsageGap?
  }

  public let at: Timestamp
  /// Nil for the first one.
  public let previous: Timestamp?
  public let servers: [Server]
  /// Names of servers that were there at the snapshot before and are no more.
  public let serversLeft: [String]
  public let unheard: [Cluster.Unheard]
  public let repeated: [(name: String, as: String)]
  public let indexes: Int
  public let created: Int
  public let removed: Int
  public let renamed: Int
  public let rebuilt: Int
  /// Indexes that some server has read since the snapshot before, and how often.
  public let indexesRead: Int
  public let scans: Int64
  public let tablesLocked: [String]
  /// Whether the ledger had been copied from another database, together with this one, and begins anew.
  public let isCopy: Bool

  init(
    _ change: LedgerChange, before: UsageLedger, after: UsageLedger, cluster: Cluster, facts: StatisticsFacts,
    isCopy: Bool
  ) {
    at = change.at
    previous = change.previous
    servers = change.heard.compactMap { id, continuity in
      guard let server = after.servers[id] else { return nil }
      let known = continuity == .new ? nil : before.servers[id]
      return Server(
        name: server.name, isStandby: server.isStandby, timeline: server.timeline,
        coveredFrom: server.coveredFrom, isNew: continuity == .new,
        isPromoted: known?.isStandby == true && !server.isStandby,
        gap: known.flatMap { continuity.gap(after: $0.heardAt, at: change.at) })
    }
    serversLeft = change.serversLeft.compactMap { after.servers[$0] }.filter { $0.leftAt != nil }
      .map(\.name).sorted()
    unheard = cluster.unheard
    repeated = cluster.repeated
    indexes = after.indexes.count
    created = change.created
    removed = change.indexesRemoved.count
    renamed = change.renamed
    rebuilt = change.rebuilt
    indexesRead = Set(change.deltas.keys.map(\.index)).count
    scans = change.deltas.values.reduce(0) { $0.addingClamped($1.scans) }
    tablesLocked = facts.tablesLocked
    self.isCopy = isCopy
  }
}
