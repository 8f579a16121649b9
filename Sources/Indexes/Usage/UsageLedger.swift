public import Primitives

/// What snapshots of all servers have told of the usage of indexes: a value that `advance` takes one snapshot further.
///
/// Two laws hold for every sequence of snapshots, resets and crashes, and a property test holds them against it:
/// `scansKnown` is never more than there were; and a scan that `usedAt` does not know of happened before `coveredFrom`,
/// in a gap, or in the time that an index has lost.
public struct UsageLedger: Sendable {
  /// What goes after so long: days, gaps, servers that have left.
  public static let retention = Duration.seconds(400 * 86_400)
  /// Servers that have left are kept up to this number, the latest ones.
  static let leftServersMax = 64
  /// An index that nobody had read at a snapshot, and that is gone at the next, may have been read in between where that is
  /// longer.
  static let unobservedMax = Duration.seconds(86_400)

  public internal(set) var servers: [Int32: LedgerServer] = [:]
  var indexes: [Int64: LedgerIndex] = [:]
  var counters: [CounterKey: LedgerCounter] = [:]

  public init() {}

  /// The moment of the last snapshot; nil before the first.
  public var lastSnapshot: Timestamp? { servers.values.map(\.heardAt).max() }

  /// Whether it tells of this database. `CREATE DATABASE … TEMPLATE` copies the ledger of another.
  func belongs(to database: DatabaseIdentity) -> Bool {
    servers.values.allSatisfy { $0.databaseOID.map { $0 == database.oid } ?? true }
  }
}

/// One server, and for which time its counters are known.
public struct LedgerServer: Sendable, Equatable {
  let id: Int32
  /// Where it was last reached.
  public internal(set) var name: String
  public internal(set) var isStandby: Bool
  var systemIdentifier: Int64
  public internal(set) var timeline: Int32
  var startedAt: Timestamp
  var sharedResetAt: Timestamp?
  var databaseResetAt: Timestamp?
  /// From when on its counters are known, apart from the gaps.
  public internal(set) var coveredFrom: Timestamp
  public internal(set) var heardAt: Timestamp
  /// When it was seen to belong to the cluster no more.
  public internal(set) var leftAt: Timestamp?
  /// Oldest first.
  public internal(set) var gaps: [UsageGap] = []
  /// Of the database in `pg_database`; nil where a snapshot of an earlier version has not said it.
  var databaseOID: UInt32?
}

/// A time of which nobody knows what a server counted: from its last snapshot to where its counters began anew.
public struct UsageGap: Sendable, Hashable {
  /// Why what was counted is lost.
  public enum Cause: String, Sendable {
    case crash
    case reset
    /// The server was there at one snapshot and not any more at the next.
    case left
  }

  public let from: Timestamp
  public let to: Timestamp
  public let cause: Cause

  /// How much of it lies between two moments.
  func duration(from start: Timestamp, to end: Timestamp) -> Duration {
    let (first, last) = (max(from, start), min(to, end))
    return first < last ? last - first : .zero
  }
}

/// An index as the ledger knows it again.
struct LedgerIndex: Sendable, Equatable {
  let id: Int64
  var identity: IndexIdentity
  var firstSeen: Timestamp
  /// The latest moment at which it may have been read, on any server.
  var usedAt: Timestamp?
  /// The snapshot that saw it with another OID than the one before. Where it was built anew its counters begin at zero, on
  /// the server where REINDEX CONCURRENTLY ran they go on.
  var rebuiltAt: Timestamp?
  /// How long its own counters were lost where the server's were not.
  var lostSeconds: Int64 = 0
  /// When another index of its table went that may have been read in its stead.
  var relievedAt: Timestamp?
  /// Size and entries when it was densest, since its file was last written anew.
  var best: Density?
}

/// Bytes and entries of an index at one moment.
struct Density: Sendable, Equatable {
  let bytes: Int64
  let tuples: Int64

  var bytesPerTuple: Double { Double(bytes) / Double(tuples) }
}

/// What an index is told apart by, and its size.
struct IndexIdentity: Sendable, Equatable {
  var oid: UInt32
  var schema: String
  var table: String
  var name: String
  /// Of what it indexes, without names.
  var definition: String
  var relfilenode: Int64
  var sizeBytes: Int64
  var tuples: Int64?
  /// OIDs of those that do all that it does.
  var coveredBy: [Int64] = []

  /// An index without storage, or that nobody has counted, has none.
  var density: Density? {
    guard let tuples, tuples > 0, sizeBytes > 0 else { return nil }
    return Density(bytes: sizeBytes, tuples: tuples)
  }
}

struct CounterKey: Hashable, Sendable {
  let index: Int64
  let server: Int32
}

/// The counters of one index as a server last showed them.
struct LedgerCounter: Sendable, Equatable {
  var scans: Int64 = 0
  var tuplesRead: Int64 = 0
  var tuplesFetched: Int64 = 0
  /// The sum of all that is known of, which no reset takes back.
  var scansKnown: Int64 = 0
  var usedAt: Timestamp
}

/// What one snapshot changes in a ledger.
struct LedgerChange: Sendable {
  var at: Timestamp
  /// The moment of the snapshot before.
  var previous: Timestamp?
  /// What each server that was heard had done since.
  var heard: [(server: Int32, continuity: Continuity)] = []
  var indexesWritten: Set<Int64> = []
  var indexesRemoved: Set<Int64> = []
  /// For how long a server has lost what it counted of an index: the longest, of several servers.
  var lost: [Int64: Duration] = [:]
  var serversRemoved: Set<Int32> = []
  /// Servers that have come or gone.
  var serversLeft: Set<Int32> = []
  var countersWritten: Set<CounterKey> = []
  /// Scans since the snapshot before.
  var deltas: [CounterKey: IndexUsage] = [:]
  var created = 0
  var renamed = 0
  var rebuilt = 0

  /// Has it also remove whatever was in the tables before.
  mutating func replace(_ ledger: UsageLedger) {
    previous = ledger.lastSnapshot
    serversRemoved.formUnion(ledger.servers.keys)
    indexesRemoved.formUnion(ledger.indexes.keys)
  }
}
