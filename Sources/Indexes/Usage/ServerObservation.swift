public import Primitives

/// What one server said of itself and of its indexes, at one moment.
///
/// Usage counters belong to a server, not to a role: each standby counts its own queries, and takes its counters with it
/// when it is promoted.
public struct ServerObservation: Sendable {
  /// Host and port by which it was reached, without anything secret.
  public var name: String
  /// Of `pg_control_system`: the same for a primary and all of its standbys.
  public var systemIdentifier: Int64
  /// OID and name in `pg_database`.
  public var database: DatabaseIdentity
  public var timeline: Int32
  public var isStandby: Bool
  /// `pg_postmaster_start_time()`, which no two servers have in common to the microsecond.
  public var startedAt: Timestamp
  /// `stats_reset` of `pg_stat_bgwriter`: the server's first start, or its last crash, or a `pg_stat_reset_shared`. It
  /// stays in a clean restart, except for standbys before PostgreSQL 15, which lose their counters then.
  public var sharedResetAt: Timestamp?
  /// `stats_reset` of `pg_stat_database`: moves with `pg_stat_reset` and with the reset of any single table or index;
  /// nil after a crash and before the first reset.
  public var databaseResetAt: Timestamp?
  /// The moment, by the primary's clock.
  public var at: Timestamp
  /// By OID; indexes that were never read since then may be absent.
  public var usage: [UInt32: IndexUsage] = [:]
  /// Physical standbys that stream from it now.
  public var standbys: [StreamingStandby] = []
  /// As what it streams itself, where it does.
  public var receiver: StreamingStandby?

  /// Since when the counters have been counting, as far as the server says: a database's `stats_reset` is NULL after a
  /// crash, and then they are as old as those of the whole server.
  public var countingSince: Timestamp? { databaseResetAt ?? sharedResetAt }
}

/// A database within a cluster.
public struct DatabaseIdentity: Sendable, Hashable {
  public let oid: UInt32
  public let name: String

  init(oid: UInt32, name: String) {
    self.oid = oid
    self.name = name
  }
}

/// A standby as both ends of its stream name it.
public struct StreamingStandby: Sendable, Hashable {
  /// `application_name` of the stream.
  public let name: String
  /// Its replication slot, where it has one.
  public let slot: String?

  init(name: String, slot: String?) {
    self.name = name
    self.slot = slot
  }

  /// What a standby calls itself: `application_name`, or else `fallback_application_name`, which is its cluster_name, in
  /// the connection string of `pg_stat_wal_receiver`. libpq cannot read that (libpqrcv_get_conninfo puts no quotes around
  /// values, and newer servers have keywords that an older libpq does not know).
  static func name(inReceiver text: String) -> String? {
    var values: [Substring: String] = [:]
    var keyword: Substring?
    for word in text.split(separator: " ", omittingEmptySubsequences: false) {
      let isKeyword = { (character: Character) in character.isLowercase || character == "_" }
      if let end = word.firstIndex(of: "="), end > word.startIndex, word[..<end].allSatisfy(isKeyword) {
        keyword = word[..<end]
        values[word[..<end]] = String(word[word.index(after: end)...])
      } else if let keyword {
        values[keyword]? += " " + word
      }
    }
    for keyword: Substring in ["application_name", "fallback_application_name"] {
      let value = values[keyword].map { $0.hasSuffix(" ") ? String($0.dropLast()) : $0 } ?? ""
      if !value.isEmpty { return value }
    }
    return nil
  }
}
