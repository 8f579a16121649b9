internal import Primitives

extension UsageLedger {
  /// Takes what a cluster's servers say now into the ledger.
  ///
  /// - Parameters:
  ///   - heard: the primary first; each server once.
  ///   - unheard: names of servers that belong to the cluster and gave no answer.
  ///   - identities: the indexes of the primary's catalog.
  ///   - roots: for each index of a partition that of the partitioned table.
  ///   - unfinished: indexes that no query can use: half built, half dropped.
  ///   - tablesLocked: tables, as `schema.table`, whose indexes could not be looked at.
  mutating func advance(
    _ heard: [ServerObservation], unheard: Set<String> = [], identities: [IndexIdentity],
    roots: [UInt32: UInt32] = [:], unfinished: Set<UInt32> = [], tablesLocked: Set<String> = []
  ) -> LedgerChange {
    guard let now = heard.first?.at else { return LedgerChange(at: Timestamp(microseconds: 0)) }
    var change = LedgerChange(at: now, previous: lastSnapshot)
    let known = recognise(identities, unfinished, tablesLocked, &change)
    let matching = ServerMatching(servers.values, heard)
    for (position, server) in heard.enumerated() {
      let before = matching.matches[position]
      let continuity =
        before.map { Continuity.of(server, after: $0, wentBack: wentBack(server, $0, known)) } ?? .new
      let entry = entry(for: server, after: before, continuity)
      servers[entry.id] = entry
      change.heard.append((entry.id, continuity))
      if before == nil { change.serversLeft.insert(entry.id) }
      count(server, entry.id, since: before?.heardAt, continuity, known, &change)
    }
    for (oid, root) in roots {
      guard let id = known.idOfOID[oid], let usedAt = indexes[id]?.usedAt, let root = known.idOfOID[root]
      else { continue }
      // A partition goes one day, and what its index was good for must be known then.
      use(root, at: usedAt, &change)
    }
    for (index, time) in change.lost { lose(index, time, &change) }
    seeOff(Set(change.heard.map(\.server)), unheard, &change)
    forget(&change)
    return change
  }

  // MARK: Indexes

  /// Which entry each index of the catalog is.
  private struct Known {
    var idOfOID: [UInt32: Int64] = [:]
  }

  /// An index is the same one with the same OID, whatever its name is now; or with the same name, table and definition in
  /// two snapshots, one after the other, when it was rebuilt in between. What REINDEX CONCURRENTLY builds beside it, and
  /// what is left of it under another name, is neither: the name goes from one to the other.
  private mutating func recognise(
    _ identities: [IndexIdentity], _ unfinished: Set<UInt32>, _ tablesLocked: Set<String>,
    _ change: inout LedgerChange
  ) -> Known {
    var known = Known()
    let before = indexes
    var byOID: [UInt32: Int64] = [:]
    for index in indexes.values { byOID[index.identity.oid] = index.id }
    var rest: [IndexIdentity] = []
    for identity in identities {
      guard let id = byOID[identity.oid], let before = indexes[id]?.identity,
        before.names == identity.names
          || before.definition == identity.definition && !unfinished.contains(identity.oid)
      else {
        rest.append(identity)
        continue
      }
      byOID[identity.oid] = nil
      known.idOfOID[identity.oid] = id
      if before.names != identity.names { change.renamed += 1 }
      update(id, identity, &change)
    }
    // What is left of the ledger is not in the catalog, or was left out of it.
    var orphans: [[String]: Int64] = [:]
    for id in byOID.values {
      guard let identity = indexes[id]?.identity else { continue }
      if tablesLocked.contains("\(identity.schema).\(identity.table)") {
        known.idOfOID[identity.oid] = id
      } else {
        orphans[identity.names + [identity.definition]] = id
      }
    }
    var next = (indexes.keys.max() ?? 0) + 1
    for identity in rest {
      if let id = orphans.removeValue(forKey: identity.names + [identity.definition]) {
        known.idOfOID[identity.oid] = id
        indexes[id]?.rebuiltAt = change.at
        change.rebuilt += 1
        update(id, identity, &change)
        continue
      }
      if unfinished.contains(identity.oid) { continue }
      indexes[next] = LedgerIndex(
        id: next, identity: identity, firstSeen: change.at, best: identity.density)
      known.idOfOID[identity.oid] = next
      change.indexesWritten.insert(next)
      change.created += 1
      next += 1
    }
    remove(Set(orphans.values), &change)
    relieve(change.indexesRemoved, before, &change)
    return known
  }

  private mutating func update(_ id: Int64, _ identity: IndexIdentity, _ change: inout LedgerChange) {
    guard var index = indexes[id], index.identity != identity else { return }
    let isSameFile =
      index.identity.relfilenode == identity.relfilenode && index.identity.oid == identity.oid
      && index.identity.definition == identity.definition
    index.identity = identity
    let densities = [isSameFile ? index.best : nil, identity.density].compactMap { $0 }
    index.best = densities.min { $0.bytesPerTuple < $1.bytesPerTuple }
    indexes[id] = index
    change.indexesWritten.insert(id)
  }

  private mutating func remove(_ gone: Set<Int64>, _ change: inout LedgerChange) {
    guard !gone.isEmpty else { return }
    for id in gone { indexes[id] = nil }
    counters = counters.filter { !gone.contains($0.key.index) }
    change.indexesRemoved = gone
  }

  /// What indexes did that are gone, others do from now on: those that cover one, or else any of its table. That these
  /// were not read until now may have been the other's doing.
  private mutating func relieve(
    _ gone: Set<Int64>, _ before: [Int64: LedgerIndex], _ change: inout LedgerChange
  ) {
    guard !gone.isEmpty else { return }
    let idOfOID = Dictionary(before.values.map { (Int64($0.identity.oid), $0.id) }) { first, _ in first }
    let ofTable = Dictionary(grouping: before.values.filter { !gone.contains($0.id) }, by: \.identity.place)
    let isWatched = change.previous.map { change.at - $0 <= Self.unobservedMax } ?? false
    for index in gone.compactMap({ before[$0] }) {
      let covering = index.identity.coveredBy.compactMap { idOfOID[$0] }.filter { !gone.contains($0) }
      if index.usedAt == nil, isWatched || covering.isEmpty { continue }
      for id in covering.isEmpty ? ofTable[index.identity.place, default: []].map(\.id) : covering {
        indexes[id]?.relievedAt = change.at
        change.indexesWritten.insert(id)
      }
    }
  }

  // MARK: Servers

  private func entry(
    for server: ServerObservation, after before: LedgerServer?, _ continuity: Continuity
  ) -> LedgerServer {
    var entry =
      before
      ?? LedgerServer(
        id: (servers.keys.max() ?? 0) + 1, name: server.name, isStandby: server.isStandby,
        systemIdentifier: server.systemIdentifier, timeline: server.timeline, startedAt: server.startedAt,
        coveredFrom: min(server.countingSince ?? server.at, server.at), heardAt: server.at)
    // It was thought to have left, and has gone on counting all the time.
    if let heardAt = before?.heardAt { entry.gaps.removeAll { $0.cause == .left && $0.from == heardAt } }
    if let before, let gap = continuity.gap(after: before.heardAt, at: server.at) { entry.gaps.append(gap) }
    entry.name = server.name
    entry.isStandby = server.isStandby
    entry.systemIdentifier = server.systemIdentifier
    entry.timeline = server.timeline
    entry.startedAt = server.startedAt
    entry.sharedResetAt = server.sharedResetAt
    entry.databaseResetAt = server.databaseResetAt
    entry.databaseOID = server.database.oid
    entry.heardAt = server.at
    entry.leftAt = nil
    return entry
  }

  /// What was there before, was not heard now, and is not expected, has left; what it counted last, nobody knows.
  private mutating func seeOff(_ heard: Set<Int32>, _ unheard: Set<String>, _ change: inout LedgerChange) {
    for (id, server) in servers where !heard.contains(id) && server.leftAt == nil {
      guard !unheard.contains(server.name) else { continue }
      servers[id]?.leftAt = change.at
      if server.heardAt < change.at {
        servers[id]?.gaps.append(UsageGap(from: server.heardAt, to: change.at, cause: .left))
      }
      change.serversLeft.insert(id)
    }
  }

  /// Keeps the ledger small.
  private mutating func forget(_ change: inout LedgerChange) {
    let oldest = change.at + .seconds(-Self.retention.components.seconds)
    var left = servers.values.filter { $0.leftAt != nil }.sorted {
      ($0.leftAt ?? change.at, $0.id) > ($1.leftAt ?? change.at, $1.id)
    }
    while let last = left.last, left.count > Self.leftServersMax || (last.leftAt ?? change.at) < oldest {
      servers[last.id] = nil
      change.serversRemoved.insert(last.id)
      left.removeLast()
    }
    if !change.serversRemoved.isEmpty {
      counters = counters.filter { !change.serversRemoved.contains($0.key.server) }
    }
    for (id, server) in servers {
      servers[id]?.gaps.removeAll { $0.to < oldest }
      if server.coveredFrom < oldest { servers[id]?.coveredFrom = oldest }
    }
  }

  // MARK: Counters

  private func wentBack(_ server: ServerObservation, _ before: LedgerServer, _ known: Known) -> Bool {
    counters.contains { key, counter in
      guard key.server == before.id, let index = indexes[key.index],
        index.rebuiltAt.map({ $0 <= before.heardAt }) ?? true
      else { return false }
      let oid = index.identity.oid
      return counter.isAhead(of: server.usage[oid] ?? IndexUsage())
    }
  }

  private mutating func count(
    _ server: ServerObservation, _ id: Int32, since: Timestamp?, _ continuity: Continuity, _ known: Known,
    _ change: inout LedgerChange
  ) {
    for (oid, index) in known.idOfOID {
      let key = CounterKey(index: index, server: id)
      let before = counters[key]
      let now = server.usage[oid] ?? IndexUsage()
      let isRestarted = continuity != .unbroken && continuity != .new
      let wentBack = before?.isAhead(of: now) ?? false
      let isRebuilt = since.flatMap { heardAt in indexes[index]?.rebuiltAt.map { heardAt < $0 } } ?? false
      if let since, isRebuilt || wentBack && continuity == .unbroken {
        change.lost[index] = max(change.lost[index] ?? .zero, change.at - since)
      } else if continuity == .new, let entry = indexes[index], let rebuiltAt = entry.rebuiltAt,
        let start = servers[id].map({ max($0.coveredFrom, entry.firstSeen) }), start < rebuiltAt
      {
        // Its counters go back to here, those of this index only to when it was rebuilt.
        change.lost[index] = max(change.lost[index] ?? .zero, rebuiltAt - start)
      }
      guard before != nil || now.scans > 0 else { continue }
      var counter = before ?? LedgerCounter(usedAt: change.at)
      let isAnew = wentBack || before == nil || continuity.isZeroed
      let delta = isAnew ? now : counter.growth(to: now)
      // After a reset of some counters even one that stands where it stood may have come back there.
      if isRestarted || isRebuilt ? now.scans > 0 : delta.scans > 0 {
        let usedAt = min(now.lastScan ?? change.at, change.at)
        counter.usedAt = before == nil ? usedAt : max(counter.usedAt, usedAt)
        use(index, at: usedAt, &change)
      }
      counter.scans = now.scans
      counter.tuplesRead = now.tuplesRead
      counter.tuplesFetched = now.tuplesFetched
      counter.scansKnown = counter.scansKnown.addingClamped(max(0, delta.scans))
      if counter != before {
        counters[key] = counter
        change.countersWritten.insert(key)
      }
      // What a server had counted before it was first heard was counted on nobody knows which days.
      if delta.scans > 0, continuity != .new { change.deltas[key] = delta }
    }
  }

  private mutating func use(_ index: Int64, at usedAt: Timestamp, _ change: inout LedgerChange) {
    guard indexes[index]?.usedAt.map({ $0 < usedAt }) ?? true else { return }
    indexes[index]?.usedAt = usedAt
    change.indexesWritten.insert(index)
  }

  private mutating func lose(_ index: Int64, _ time: Duration, _ change: inout LedgerChange) {
    let seconds = indexes[index]?.lostSeconds ?? 0
    indexes[index]?.lostSeconds = seconds.addingClamped(max(0, time.components.seconds).addingClamped(1))
    change.indexesWritten.insert(index)
  }
}

extension Continuity {
  fileprivate var isZeroed: Bool {
    if case .zeroed = self { true } else { false }
  }
}

extension IndexIdentity {
  /// By which people know it.
  fileprivate var names: [String] { [schema, table, name] }
  /// Its table.
  fileprivate var place: [String] { [schema, table] }
}

extension LedgerCounter {
  /// Whether any counter is lower now.
  fileprivate func isAhead(of usage: IndexUsage) -> Bool {
    usage.scans < scans || usage.tuplesRead < tuplesRead || usage.tuplesFetched < tuplesFetched
  }

  /// What came to it; never negative, as nothing went back.
  fileprivate func growth(to usage: IndexUsage) -> IndexUsage {
    IndexUsage(
      scans: usage.scans.subtractingClamped(scans),
      tuplesRead: usage.tuplesRead.subtractingClamped(tuplesRead),
      tuplesFetched: usage.tuplesFetched.subtractingClamped(tuplesFetched))
  }
}

extension Int64 {
  /// Counters come from outside: a sum beyond the end stays at the end.
  func addingClamped(_ other: Int64) -> Int64 {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? (other < 0 ? .min : .max) : sum
  }

  func subtractingClamped(_ other: Int64) -> Int64 {
    let (difference, overflow) = subtractingReportingOverflow(other)
    return overflow ? (other < 0 ? .max : .min) : difference
  }
}
