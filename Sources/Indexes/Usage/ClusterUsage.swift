internal import Primitives

/// Everything that an audit knows of usage: what the servers say now, and what the ledger remembers.
public struct ClusterUsage: Sendable {
  public let cluster: Cluster
  /// Whether there is a ledger that could be read, with at least one snapshot in it.
  public let hasLedger: Bool
  /// Nil where a server does not say since when it counts, and no snapshot does.
  public let coverage: UsageCoverage?
  /// The servers that were heard, with the time from when on each is known, in the order of the cluster.
  public let servers: [LedgerServer]
  let histories: [UInt32: IndexHistory]
  let densities: [UInt32: Density]

  /// - Parameter ledger: as of the last snapshot; nil where there is none. What servers have counted since then is
  ///   added here as a snapshot would add it.
  init(cluster: Cluster, ledger: UsageLedger?, catalog: Catalog) {
    self.cluster = cluster
    let isOwn = cluster.heard.first.map { ledger?.belongs(to: $0.database) ?? true } ?? true
    let before = isOwn ? ledger ?? UsageLedger() : UsageLedger()
    var now = before
    let change = now.advance(
      cluster.heard, unheard: Set(cluster.unheard.map(\.name)), identities: catalog.identities,
      roots: catalog.roots, unfinished: catalog.unfinished, tablesLocked: Set(catalog.facts.tablesLocked))
    hasLedger = before.lastSnapshot != nil
    servers = change.heard.compactMap { [now] in now.servers[$0.server] }
    let isKnown = hasLedger || cluster.heard.allSatisfy { $0.countingSince != nil }
    coverage = isKnown ? UsageCoverage(now.servers.values, until: change.at) : nil
    var histories: [Int64: IndexHistory] = [:]
    for (id, index) in now.indexes {
      // What was counted before anybody remembered it may have been read at any time: now is no answer.
      let lastScan = cluster.heard.compactMap { $0.usage[index.identity.oid]?.lastScan }.max()
      histories[id] = IndexHistory(
        firstSeen: before.indexes[id]?.firstSeen,
        lastUsed: before.indexes[id] == nil ? lastScan : index.usedAt, lost: .seconds(index.lostSeconds),
        relievedAt: index.relievedAt)
    }
    for (key, counter) in now.counters.sorted(by: { $0.key.server < $1.key.server }) {
      let name = now.servers[key.server]?.name ?? ""
      // A server that is new, or an index: see above.
      let isRemembered = before.servers[key.server] != nil && before.indexes[key.index] != nil
      let observed = zip(cluster.heard, change.heard).first { $1.server == key.server }?.0
      let lastScan = now.indexes[key.index].flatMap { observed?.usage[$0.identity.oid]?.lastScan }
      histories[key.index]?.servers.append(
        ServerUsage(
          name: name, scans: counter.scansKnown, lastUsed: isRemembered ? counter.usedAt : lastScan))
    }
    var byOID: [UInt32: IndexHistory] = [:]
    var densities: [UInt32: Density] = [:]
    for (id, index) in now.indexes {
      byOID[index.identity.oid] = histories[id]
      // One look is no memory: it is as dense now as it is now.
      if before.indexes[id] != nil { densities[index.identity.oid] = index.best }
    }
    self.histories = byOID
    self.densities = densities
  }

  /// Scans on all servers that were heard, since each one's counters began.
  func usage(of index: UInt32) -> IndexUsage {
    cluster.heard.reduce(IndexUsage()) { $0 + ($1.usage[index] ?? IndexUsage()) }
  }
}

extension Catalog {
  /// The catalog with the usage of the whole cluster instead of one server's.
  public func with(_ usage: ClusterUsage) -> Catalog {
    let indexes = self.indexes.values.map { index in
      var index = index
      index.usage = usage.usage(of: index.oid)
      index.history = usage.histories[index.oid]
      index.bestBytesPerTuple = usage.densities[index.oid]?.bytesPerTuple
      return index
    }
    return Catalog(
      tables: Array(tables.values), indexes: indexes, foreignKeys: foreignKeys, facts: facts)
  }

  /// What the ledger knows indexes by.
  var identities: [IndexIdentity] {
    let coverage = Coverage(self)
    return indexes.values.map { index in
      let table = tableName(index)
      return IndexIdentity(
        oid: index.oid, schema: table.schema, table: table.name, name: index.name.name,
        definition: definitionHash(index, table), relfilenode: index.relfilenode,
        sizeBytes: index.sizeBytes, tuples: index.tuples,
        coveredBy: coverage.replacements(of: index).map { Int64($0.oid) })
    }
  }

  /// The root of each index that is attached to one.
  var roots: [UInt32: UInt32] {
    indexes.values.reduce(into: [:]) { if $1.parent != nil { $0[$1.oid] = root(of: $1).oid } }
  }

  /// Indexes that no query can use.
  var unfinished: Set<UInt32> {
    indexes.values.reduce(into: []) { if !$1.isWhole { $0.insert($1.oid) } }
  }

  /// What follows the table's name in a definition: method, keys, options, predicate.
  private func definitionHash(_ index: Index, _ table: RelationName) -> String {
    let head = " \(table.quoted) USING "
    let rest = index.definition.firstRange(of: head).map { index.definition[$0.upperBound...] }
    let text = (index.isUnique ? "unique " : "") + (rest ?? index.definition[...])
    return String(SHA256.digest(of: text.utf8).hexadecimal.prefix(32))
  }
}
