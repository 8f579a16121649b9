import Primitives

@testable import Indexes

/// A cluster for tests, written down as values: servers with counters that are lost as PostgreSQL loses them.
struct ServerModel {
  /// One server. Times are seconds.
  struct Server {
    var name: String
    var isStandby: Bool
    var startedAt: Int64
    var sharedResetAt: Int64?
    var databaseResetAt: Int64?
    var scans: [UInt32: Int64] = [:]
    var lastScan: [UInt32: Int64] = [:]
  }

  static let day: Int64 = 86_400
  static let birth: Int64 = 1_700_000_000

  var servers: [Server]
  var now = Self.birth
  /// By position; a rebuilt one has another OID.
  var oids: [UInt32]
  var names: [String]
  /// PostgreSQL 16 and later tell when an index was last read.
  var tellsLastScan = false

  init(servers: Int = 1, indexes: Int = 1) {
    self.servers = (0..<servers).map {
      // No two servers start at the same microsecond.
      Server(
        name: "db\($0)", isStandby: $0 > 0, startedAt: Self.birth - 1000 - Int64($0),
        sharedResetAt: Self.birth - 1000 - Int64($0))
    }
    oids = (0..<indexes).map { UInt32(20_000 + $0) }
    names = (0..<indexes).map { "index\($0)" }
  }

  static func time(_ seconds: Int64) -> Timestamp { Timestamp(microseconds: seconds * 1_000_000) }

  mutating func wait(_ seconds: Int64) { now += seconds }

  mutating func scan(_ index: Int = 0, on server: Int = 0, times: Int64 = 1) {
    servers[server].scans[oids[index], default: 0] += times
    servers[server].lastScan[oids[index]] = now
  }

  mutating func reset(_ server: Int = 0) {
    servers[server].scans = [:]
    servers[server].lastScan = [:]
    servers[server].databaseResetAt = now
  }

  mutating func resetOne(_ index: Int = 0, on server: Int = 0) {
    servers[server].scans[oids[index]] = nil
    servers[server].lastScan[oids[index]] = nil
    servers[server].databaseResetAt = now
  }

  /// - Parameter isWhole: false where the postmaster lives on, as when a backend is killed.
  mutating func crash(_ server: Int = 0, isWhole: Bool = true) {
    servers[server].scans = [:]
    servers[server].lastScan = [:]
    servers[server].databaseResetAt = nil
    servers[server].sharedResetAt = now
    if isWhole { servers[server].startedAt = now }
  }

  mutating func restart(_ server: Int = 0) { servers[server].startedAt = now }

  mutating func resetShared(_ server: Int = 0) { servers[server].sharedResetAt = now }

  /// REINDEX CONCURRENTLY on the primary copies its counters; elsewhere they begin at zero, as all do after DROP and
  /// CREATE.
  mutating func rebuild(_ index: Int = 0, keepsCounters: Bool = true) {
    let (old, new) = (oids[index], (oids.max() ?? 0) + 1)
    oids[index] = new
    for place in servers.indices {
      let (scans, last) = (servers[place].scans.removeValue(forKey: old), servers[place].lastScan[old])
      if keepsCounters, !servers[place].isStandby {
        servers[place].scans[new] = scans
        servers[place].lastScan[new] = last
      }
    }
  }

  func observe(_ server: Int) -> ServerObservation {
    let server = servers[server]
    var observation = ServerObservation(
      name: server.name, systemIdentifier: 42, database: DatabaseIdentity(oid: 5, name: "shop"),
      timeline: 1, isStandby: server.isStandby, startedAt: Self.time(server.startedAt),
      sharedResetAt: server.sharedResetAt.map(Self.time),
      databaseResetAt: server.databaseResetAt.map(Self.time),
      at: Self.time(now))
    for (oid, scans) in server.scans where scans > 0 {
      observation.usage[oid] = IndexUsage(
        scans: scans, tuplesRead: scans * 3, tuplesFetched: scans,
        lastScan: tellsLastScan ? server.lastScan[oid].map(Self.time) : nil)
    }
    return observation
  }

  var identities: [IndexIdentity] {
    oids.indices.map { place in
      IndexIdentity(
        oid: oids[place], schema: "public", table: "t", name: names[place], definition: "btree (\(place))",
        relfilenode: Int64(oids[place]), sizeBytes: 8192, tuples: 100)
    }
  }

  /// Takes a snapshot of the servers, the first of them the primary.
  @discardableResult
  func snapshot(
    _ ledger: inout UsageLedger, of heard: [Int]? = nil, unheard: Set<String> = []
  ) -> LedgerChange {
    ledger.advance(
      (heard ?? Array(servers.indices)).map(observe), unheard: unheard, identities: identities)
  }

  /// The ledger's entry of an index.
  func entry(_ index: Int = 0, in ledger: UsageLedger) -> LedgerIndex? {
    ledger.indexes.values.first { $0.identity.oid == oids[index] }
  }

  /// Scans of an index that the ledger knows of.
  func known(_ index: Int = 0, in ledger: UsageLedger) -> Int64 {
    guard let entry = entry(index, in: ledger) else { return 0 }
    return ledger.counters.filter { $0.key.index == entry.id }.reduce(0) { $0 + $1.value.scansKnown }
  }
}
