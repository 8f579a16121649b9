public import Primitives

/// A conversation with a Redis Cluster, in blocking calls of one thread.
///
/// ```swift
/// let cluster = try ClusterSession(connecting: Endpoint(url: "redis://node-1:6379"))
/// try cluster.execute("SET", .text(key), .bytes(value))
/// for node in try cluster.nodes() { try node.session.execute("INFO", "server") }
/// ```
///
/// A command goes to the master that serves the slot of its first key; a pipeline is split, and its parts are sent to
/// all masters before the first reply is waited for. One session a master, connected when it is needed.
///
/// **Change.** The nodes are learnt from the one that the URL names (CLUSTER SLOTS), and learnt anew from any of them when
/// one says MOVED or is gone. MOVED and ASK are followed. What is refused for now (TRYAGAIN, CLUSTERDOWN, LOADING) is sent
/// again after a pause, and so is what a lost node certainly did not carry out, or may carry out twice; until the
/// deadline, or without one until nothing has been answered for the command time-out. Then the last refusal is the reply, or
/// the last loss is thrown.
///
/// **Order.** Replies come in the order of the commands. Commands of one slot are carried out in their order, unless the slot
/// moves meanwhile.
///
/// Database 0 only, without TLS. Commands without a key (SCAN, INFO, MULTI) are for the session of one of the ``nodes()``.
public final class ClusterSession: CommandRunner {
  /// Where the first node is found, and as whom to log in to all of them.
  public let seed: Endpoint
  let connectTimeout: Duration
  let commandTimeout: Duration
  let interruption: Interruption?

  private(set) var topology = Topology()
  private var sessions: [Endpoint.Address: Session] = [:]
  /// Whether the topology should be looked at before it is used again.
  private(set) var isStale = true
  private var isClosed = false

  /// Connects to the seed and learns the nodes.
  ///
  /// - Throws: `RedisError.notCluster`; what `Session.init(connecting:connectTimeout:commandTimeout:)` throws;
  ///   `RedisError.invalidEndpoint` for a database other than 0.
  public convenience init(
    connecting seed: Endpoint, connectTimeout: Duration = .seconds(5), commandTimeout: Duration = .seconds(5)
  ) throws {
    try self.init(seed, connectTimeout: connectTimeout, commandTimeout: commandTimeout, interruption: nil)
    try connect(deadline: .distantFuture)
  }

  /// Connects with the first command.
  init(
    _ seed: Endpoint, connectTimeout: Duration, commandTimeout: Duration, interruption: Interruption?
  ) throws {
    guard seed.database == 0 else {
      throw RedisError.invalidEndpoint("a Redis Cluster has database 0 only, not \(seed.database)")
    }
    self.seed = seed
    self.connectTimeout = connectTimeout
    self.commandTimeout = commandTimeout
    self.interruption = interruption
  }

  /// Learns the nodes, unless that was done.
  public func connect(deadline: Deadline) throws {
    if isStale { try refresh(asking: nil, deadline: min(deadline, .after(connectTimeout))) }
  }

  /// The slot of a key, 0 to 16383.
  public func slot(of key: String) -> Int? { HashSlot.of(key.utf8) }

  /// The master that serves a key's slot, and the session with it. That of a node that has left the cluster connects anew
  /// should it come back, so a session stands for the same address for ever.
  public func node(of key: String) throws -> Node {
    let nodes = try nodes()
    let address = address(of: HashSlot.of(key.utf8))
    guard let node = nodes.first(where: { $0.session.endpoint.address == address }) else {
      throw RedisError.server(ServerError(code: "CLUSTERDOWN", message: "no node serves any slot"))
    }
    return node
  }

  /// The masters that serve slots.
  public func nodes() throws -> [Node] {
    try connect(deadline: .distantFuture)
    return topology.masters.map { Node(id: $0.id, session: session(at: $0.address)) }
  }

  /// Ends all connections; commands after that throw `RedisError.closed`.
  public func close() {
    isClosed = true
    for session in sessions.values { session.close() }
  }

  // MARK: Topology

  /// Asks the nodes, one after another, until one says who serves which slot.
  ///
  /// - Parameter preferred: the node that is most likely to know.
  /// - Throws: `RedisError`: of the last node asked, when none has answered.
  func refresh(asking preferred: Endpoint.Address?, deadline: Deadline) throws {
    if isClosed { throw RedisError.closed }
    var failure: (any Error)?
    let candidates = candidates(preferred)
    for (index, address) in candidates.enumerated() {
      // A node that is silent must not use up the time of those after it.
      let share = min(deadline, .after(deadline.remaining / min(4, candidates.count - index)))
      do {
        return try learn(from: address, deadline: share)
      } catch let error as RedisError {
        if case .notCluster = error { throw error }
        failure = error
        if deadline.hasPassed { break }
      }
    }
    throw failure ?? RedisError.closed
  }

  /// Those that are connected first: they most likely live. A node that just said something old must not be asked
  /// for ever, so the others take turns.
  private func candidates(_ preferred: Endpoint.Address?) -> [Endpoint.Address] {
    let known = topology.masters.map(\.address) + topology.replicas
    let connected = known.filter { sessions[$0]?.isConnected ?? false }
    var candidates: [Endpoint.Address] = []
    for address in (preferred.map { [$0] } ?? []) + connected.shuffled() + known.shuffled() + [seed.address]
    where !candidates.contains(address) {
      candidates.append(address)
    }
    return candidates
  }

  private func learn(from address: Endpoint.Address, deadline: Deadline) throws {
    let asked = sessions[address] ?? newSession(at: address)
    adopt(try slots(in: asked, deadline))
    // Nothing else is asked of a replica, so its connection is not kept.
    if topology.masters.contains(where: { $0.address == address }) { sessions[address] = asked }
  }

  private func slots(in session: Session, _ deadline: Deadline) throws -> Topology {
    do {
      let reply = try session.execute(Command("CLUSTER", "SLOTS"), isIdempotent: true, deadline: deadline)
      return try Topology(slots: reply, from: session.endpoint.address)
    } catch RedisError.server(let error) where error.code == "ERR" {
      throw RedisError.notCluster(endpoint: session.endpoint.description, error)
    }
  }

  /// Asks all masters who serves which slot; nil while they do not agree. A master that was cut off from the others and
  /// replaced does not know it; the others do.
  ///
  /// - Throws: `RedisError`, also when one of them does not answer.
  func agreedTopology(deadline: Deadline) throws -> Topology? {
    try refresh(asking: nil, deadline: deadline)
    let agreed = topology
    for master in agreed.masters {
      guard try slots(in: session(at: master.address), deadline).agrees(with: agreed) else { return nil }
    }
    return agreed
  }

  private func adopt(_ fresh: Topology) {
    isStale = false
    topology = fresh
    for (address, session) in sessions where !fresh.masters.contains(where: { $0.address == address }) {
      session.disconnect()
    }
  }

  /// What was learnt of the nodes has proved wrong.
  func markStale() { isStale = true }

  // MARK: Sessions

  func session(at address: Endpoint.Address) -> Session {
    if let known = sessions[address] { return known }
    let session = newSession(at: address)
    sessions[address] = session
    return session
  }

  private func newSession(at address: Endpoint.Address) -> Session {
    let session = Session(
      seed.node(at: address), connectTimeout: connectTimeout, commandTimeout: commandTimeout,
      interruption: interruption)
    if isClosed { session.close() }
    return session
  }

  /// The slot of a command's key.
  ///
  /// - Throws: `RedisError.needsNode`.
  func slot(of command: Command) throws -> Int {
    switch command.routingKey {
    case .text(let text): HashSlot.of(text.utf8)
    case .bytes(let bytes): HashSlot.of(bytes)
    case .integer(let number): HashSlot.of(String(number).utf8)
    case nil: throw RedisError.needsNode(command: command.name)
    }
  }

  /// The master of a slot. If none is known any node will do: it knows better, or says CLUSTERDOWN.
  func address(of slot: Int) -> Endpoint.Address {
    topology.owner(of: slot) ?? topology.masters.first?.address ?? seed.address
  }
}
