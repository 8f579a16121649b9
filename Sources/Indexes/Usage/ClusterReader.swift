public import Postgres
internal import Primitives

/// Asks a primary and its replicas for their usage counters, and the ledger for what they were.
public struct ClusterReader {
  /// A server of `database.replicas`.
  public struct Replica {
    let name: String
    let open: () throws -> Session

    /// - Parameters:
    ///   - name: host and port, without anything secret.
    ///   - open: connects, in a bounded time.
    public init(name: String, open: @escaping () throws -> Session) {
      self.name = name
      self.open = open
    }
  }

  private let primary: Session
  private let name: String
  private let replicas: [Replica]

  /// - Parameter name: as a replica's.
  public init(primary: Session, name: String, replicas: [Replica]) {
    self.primary = primary
    self.name = name
    self.replicas = replicas
  }

  /// What is known of the usage of the indexes in a catalog, and how.
  ///
  /// - Throws: `PostgresError`; of replicas only when somebody asked to stop.
  public func usage(of catalog: Catalog, ledger: UsageLedger?) throws -> ClusterUsage {
    ClusterUsage(cluster: try read(), ledger: ledger, catalog: catalog)
  }

  /// Nil where there is none, or none that the role may read. To be called before the servers are asked: what they say
  /// must be later than what the ledger remembers.
  ///
  /// - Parameter whenHidden: called where there is one that the role may not read.
  /// - Throws: `PostgresError`.
  public func ledger(whenHidden: () throws -> Void = {}) throws -> UsageLedger? {
    let store = UsageStore(primary)
    switch try store.presence() {
    case .absent: return nil
    case .hidden:
      try whenHidden()
      return nil
    case .readable: break
    }
    return try primary.transaction(.snapshot) { try store.load() }
  }

  /// Takes a snapshot and writes it into the ledger.
  ///
  /// - Throws: `usage_ledger_missing`; `insufficient_privilege`; `replica_foreign` where the configuration names a server that is no standby of the
  ///   primary; `snapshot_on_standby`; `usage_ledger_busy`; `PostgresError`. Then nothing is recorded.
  public func record() throws -> UsageSnapshot {
    guard let ledger = try ledger(whenHidden: { throw Self.hidden }) else {
      throw SimpleFailure(
        .configuration, code: "usage_ledger_missing", message: "this database has no usage ledger",
        hint: "apply the migrations first: ironforge migrate up")
    }
    let cluster = try read()
    guard let server = cluster.heard.first, !server.isStandby else {
      throw SimpleFailure(
        .configuration, code: "snapshot_on_standby",
        message: "the ledger can only be written on the primary, and this server is a standby",
        hint: "name the primary, or several hosts with target_session_attrs=read-write")
    }
    if let foreign = cluster.unheard.first(where: \.isForeign) {
      throw SimpleFailure(
        .configuration, code: "replica_foreign",
        message: "\(foreign.name) of database.replicas is no replica of this primary: \(foreign.reason)",
        hint: "correct database.replicas; nothing was recorded")
    }
    let catalog = try CatalogReader(primary).read()
    let isCopy = !ledger.belongs(to: server.database)
    let before = isCopy ? UsageLedger() : ledger
    var next = before
    var change = next.advance(
      cluster.heard, unheard: Set(cluster.unheard.map(\.name)), identities: catalog.identities,
      roots: catalog.roots, unfinished: catalog.unfinished, tablesLocked: Set(catalog.facts.tablesLocked))
    let snapshot = UsageSnapshot(
      change, before: before, after: next, cluster: cluster, facts: catalog.facts, isCopy: isCopy)
    if isCopy { change.replace(ledger) }
    try UsageStore(primary).save(change, of: next)
    return snapshot
  }

  private static let hidden = SimpleFailure(
    .privilege, code: "insufficient_privilege",
    message: "the role may not read the usage ledger, ironforge.index_servers and its neighbours",
    hint: "grant pg_monitor to the role; to take snapshots it must be able to write to them as well")

  private func read() throws -> Cluster {
    let server = try ServerReader(primary).read(as: name)
    let answers = try replicas.map { replica -> Cluster.Answer in
      do {
        let session = try replica.open()
        defer { session.close() }
        return .observation(try ServerReader(session).read(as: replica.name, at: server.at))
      } catch let error as PostgresError {
        switch error {
        // A person asked to stop; a URL that cannot be read is no server that is away.
        case .cancelled, .malformedConnectionString, .misuse: throw error
        case .connectFailed, .connectionLost, .deadlineExceeded, .notReplicated, .server, .decoding:
          return .failure(name: replica.name, reason: error.message)
        }
      }
    }
    return Cluster(primary: server, replicas: answers)
  }
}
