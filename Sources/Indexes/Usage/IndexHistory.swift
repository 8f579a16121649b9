public import Primitives

/// What the usage ledger knows of one index.
public struct IndexHistory: Sendable, Equatable {
  /// The first snapshot that saw it; nil where none has yet.
  public var firstSeen: Timestamp?
  /// The latest moment at which a server may have read it; nil where none is known to have, and where nobody knows when: scans that
  /// were counted before the first snapshot saw them, on servers before PostgreSQL 16.
  public var lastUsed: Timestamp?
  /// How long its own counters were lost where the servers' were not.
  public var lost = Duration.zero
  /// When another index of its table went that may have been read in its stead; nil where none has.
  public var relievedAt: Timestamp?
  /// Scans on each server that has read it, by the server's name.
  public var servers: [ServerUsage] = []

  /// Scans on all servers that are known of.
  public var scans: Int64 { servers.reduce(0) { $0.addingClamped($1.scans) } }

  /// An index with one that is attached below it: partitions come and go, and the index is as old as its root.
  static func + (a: IndexHistory, b: IndexHistory) -> IndexHistory {
    var sum = a
    sum.lastUsed = [a.lastUsed, b.lastUsed].compactMap { $0 }.max()
    sum.lost = max(a.lost, b.lost)
    sum.relievedAt = [a.relievedAt, b.relievedAt].compactMap { $0 }.max()
    for usage in b.servers {
      if let place = sum.servers.firstIndex(where: { $0.name == usage.name }) {
        sum.servers[place].scans = sum.servers[place].scans.addingClamped(usage.scans)
        sum.servers[place].lastUsed = [sum.servers[place].lastUsed, usage.lastUsed].compactMap { $0 }.max()
      } else {
        sum.servers.append(usage)
      }
    }
    return sum
  }
}

/// How often one server has read an index, as far as the ledger knows.
public struct ServerUsage: Sendable, Equatable {
  public let name: String
  public var scans: Int64
  /// Not before its last scan; nil where nobody knows when that was.
  public var lastUsed: Timestamp?
}

/// Scans of an index in one day, on all servers.
public struct DayUsage: Sendable, Equatable {
  /// Midnight UTC; the first of a month stands for all of it where days have been rolled up.
  public let day: Timestamp
  /// Scans that a snapshot of this day found.
  public let scans: Int64
}
