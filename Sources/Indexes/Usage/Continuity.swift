internal import Primitives

/// What became of a server's counters since it was last heard.
enum Continuity: Sendable, Equatable {
  /// It was never heard before: what it has counted until now is taken as it is.
  case new
  /// They went on.
  case unbroken
  /// All of them began at zero, at this moment.
  case zeroed(Timestamp)
  /// Some of them began at zero, at this moment or before it; which ones, nobody says.
  case perhaps(Timestamp)

  /// How an observation goes on from what is known of the server.
  ///
  /// `stats_reset` of a database moves when all of its counters are reset and when those of one table or index are. A
  /// crash makes it NULL, and sets that of `pg_stat_bgwriter`, which `pg_stat_reset_shared` also does. So a moved
  /// `stats_reset` of one kind or the other says that something may be lost, not what. Two signs are certain: the
  /// database's is NULL again; or it is NULL still, and counters went back.
  ///
  /// - Parameter wentBack: whether any index that is the same as before has a lower counter than before.
  static func of(_ server: ServerObservation, after known: LedgerServer, wentBack: Bool) -> Continuity {
    let isSharedMoved = server.sharedResetAt != known.sharedResetAt
    let isDatabaseMoved = server.databaseResetAt != known.databaseResetAt
    guard isSharedMoved || isDatabaseMoved else { return .unbroken }
    let hasCrashed =
      (known.databaseResetAt != nil && server.databaseResetAt == nil)
      || (known.databaseResetAt == nil && server.databaseResetAt == nil && wentBack)
    let moments = [
      isSharedMoved ? server.sharedResetAt : nil, isDatabaseMoved ? server.databaseResetAt : nil,
    ]
    let moment = moments.compactMap { $0 }.max() ?? server.at
    return hasCrashed ? .zeroed(moment) : .perhaps(moment)
  }

  /// The time that is lost after `heardAt`, at most until the snapshot.
  func gap(after heardAt: Timestamp, at now: Timestamp) -> UsageGap? {
    let (end, cause): (Timestamp, UsageGap.Cause)
    switch self {
    case .new, .unbroken: return nil
    case .zeroed(let moment): (end, cause) = (moment, .crash)
    case .perhaps(let moment): (end, cause) = (moment, .reset)
    }
    guard heardAt < min(end, now) else { return nil }
    return UsageGap(from: heardAt, to: min(end, now), cause: cause)
  }
}

/// Tells which of the servers that a ledger knows are those that were heard.
///
/// Addresses move with failovers, roles change, and a standby is a copy of its primary, so that nothing in it names it.
/// What stays with a server are the moments at which its postmaster started and at which its counters began: these, to
/// the microsecond, first; its address only for one whose counters began anew after it was last heard.
struct ServerMatching {
  private var free: [LedgerServer]
  private(set) var matches: [Int: LedgerServer] = [:]

  init(_ known: some Sequence<LedgerServer>, _ heard: [ServerObservation]) {
    // Those that are still there before those that have left.
    free = known.sorted { ($0.leftAt == nil ? 0 : 1, $0.id) < ($1.leftAt == nil ? 0 : 1, $1.id) }
    take(heard) { $0.systemIdentifier == $1.systemIdentifier && $0.startedAt == $1.startedAt }
    take(heard) { Self.haveSameCounters($0, $1) && $0.name == $1.name }
    take(heard) { Self.haveSameCounters($0, $1) }
    take(heard) { known, server in
      known.name == server.name && known.heardAt < (server.countingSince ?? known.heardAt)
        && known.heardAt < (server.sharedResetAt ?? known.heardAt)
    }
  }

  private mutating func take(
    _ heard: [ServerObservation], where isSame: (LedgerServer, ServerObservation) -> Bool
  ) {
    for (position, server) in heard.enumerated() where matches[position] == nil {
      guard let found = free.firstIndex(where: { isSame($0, server) }) else { continue }
      matches[position] = free.remove(at: found)
    }
  }

  private static func haveSameCounters(_ known: LedgerServer, _ server: ServerObservation) -> Bool {
    func isSame(_ moment: Timestamp?, _ other: Timestamp?) -> Bool { moment != nil && moment == other }
    return known.systemIdentifier == server.systemIdentifier
      && (isSame(known.sharedResetAt, server.sharedResetAt)
        || isSame(known.databaseResetAt, server.databaseResetAt))
  }
}
