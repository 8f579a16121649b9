public import Postgres
public import Primitives

/// Asks one server for its usage counters; standbys can be asked too.
public struct ServerReader {
  private let session: Session

  public init(_ session: Session) {
    self.session = session
  }

  /// - Parameters:
  ///   - name: how the server is called; see `ServerObservation.name`.
  ///   - moment: what time it is on the primary; nil on the primary itself.
  /// - Throws: `PostgresError`.
  public func read(as name: String, at moment: Timestamp? = nil) throws -> ServerObservation {
    try session.transaction(.snapshot) {
      guard let row = try session.query(UsageStatements.server()).first else {
        throw PostgresError.decoding("a server that does not know its own database")
      }
      var server = ServerObservation(
        name: name, systemIdentifier: try row.decode(0),
        database: DatabaseIdentity(oid: try row.decode(1), name: try row.decode(2)),
        timeline: try row.decode(3), isStandby: try row.decode(4), startedAt: try row.decode(5),
        sharedResetAt: try row.decodeIfPresent(6), databaseResetAt: try row.decodeIfPresent(7),
        at: try moment ?? row.decode(8))
      for row in try session.query(UsageStatements.counters()) {
        server.usage[try row.decode(0)] = IndexUsage(
          scans: try row.decode(1), tuplesRead: try row.decode(2), tuplesFetched: try row.decode(3))
      }
      if session.serverVersion >= 160_000 {
        for row in try session.query(IndexStatements.lastScans()) {
          server.usage[try row.decode(0)]?.lastScan = try row.decode(1)
        }
      }
      server.standbys = try session.query(UsageStatements.standbys()).map { row in
        StreamingStandby(name: try row.decode(0), slot: try row.decodeIfPresent(1))
      }
      server.receiver = try readReceiver()
      return server
    }
  }

  private func readReceiver() throws -> StreamingStandby? {
    guard let row = try session.query(UsageStatements.receiver()).first,
      let name = StreamingStandby.name(inReceiver: try row.decode(1))
    else { return nil }
    return StreamingStandby(name: name, slot: try row.decodeIfPresent(0))
  }
}
