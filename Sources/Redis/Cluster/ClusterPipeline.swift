public import Primitives

extension ClusterSession {
  /// Runs one command at the node that has its key, and returns its reply; see ``Session/execute(_:isIdempotent:deadline:)``.
  @discardableResult
  public func execute(
    _ command: Command, isIdempotent: Bool = false, deadline: Deadline? = nil
  ) throws -> Reply {
    var replies: [Reply] = []
    try run([command], isIdempotent: isIdempotent, deadline: deadline, replies: &replies)
    guard let reply = replies.first else { throw RedisError.protocolViolation("no reply") }
    return try reply.get()
  }

  /// Runs commands at the nodes that have their keys, in constant memory; see
  /// ``Session/pipeline(_:isIdempotent:deadline:onReply:)``.
  public func pipeline(
    _ commands: some Sequence<Command>, isIdempotent: Bool = false, deadline: Deadline? = nil,
    onReply: (Int, Reply) throws -> Void
  ) throws {
    try inChunks(commands, onReply) { chunk, replies in
      try run(chunk, isIdempotent: isIdempotent, deadline: deadline, replies: &replies)
    }
  }

  /// Runs one chunk.
  ///
  /// - Parameter replies: empty; receives the replies. When this throws, those before the first that is missing.
  private func run(
    _ commands: [Command], isIdempotent: Bool, deadline: Deadline?, replies: inout [Reply]
  ) throws {
    let chunk = ClusterChunk(commands, isIdempotent: isIdempotent, deadline: deadline, in: self)
    defer { replies = chunk.answeredPrefix }
    try chunk.run()
  }
}

/// A chunk of commands on its way: rounds in which each node gets what is meant for it, until every command has its reply.
private final class ClusterChunk {
  private struct Errand {
    let index: Int
    let slot: Int
    /// Where a redirection has sent it; otherwise it goes to the master of its slot.
    var target: Endpoint.Address?
    var isAsking = false
  }

  private let cluster: ClusterSession
  private let commands: [Command]
  private let isIdempotent: Bool
  private let deadline: Deadline?
  private var replies: [Reply?]

  /// When to give up; put off whenever something was answered, unless the caller has set it.
  private var limit: Deadline
  private var pause = Duration.zero
  private var lastLoss: (any Error)?
  /// A node that is likely to know what has become of the slots.
  private var informant: Endpoint.Address?

  private static let pauseMax = Duration.milliseconds(250)

  init(_ commands: [Command], isIdempotent: Bool, deadline: Deadline?, in cluster: ClusterSession) {
    self.cluster = cluster
    self.commands = commands
    self.isIdempotent = isIdempotent
    self.deadline = deadline
    replies = Array(repeating: nil, count: commands.count)
    limit = deadline ?? .after(cluster.commandTimeout)
  }

  /// The replies before the first that is missing.
  var answeredPrefix: [Reply] {
    let end = replies.firstIndex(of: nil) ?? replies.count
    return replies[..<end].compactMap { $0 }
  }

  func run() throws {
    var pending = try commands.indices.map { Errand(index: $0, slot: try cluster.slot(of: commands[$0])) }
    if cluster.isStale { try cluster.refresh(asking: nil, deadline: limit) }
    while true {
      let left = try round(pending)
      if left.isEmpty { return }
      if left.count < pending.count {
        limit = deadline ?? .after(cluster.commandTimeout)
        pause = .zero
      }
      try settle(before: left)
      pending = left
    }
  }

  /// Sends each node what is meant for it before the first reply is waited for.
  ///
  /// - Returns: what is to be sent again, with the place that was named for it.
  private func round(_ errands: [Errand]) throws -> [Errand] {
    var left: [Errand] = []
    var fatal: (any Error)?
    var begun: [(session: Session, errands: [Errand], pipeline: BegunPipeline)] = []
    for (address, errands) in byNode(errands) {
      let session = cluster.session(at: address)
      do {
        // A node that does not answer must not take longer than the whole.
        try session.connect(deadline: limit)
        begun.append((session, errands, try session.begin(wording(errands), deadline: deadline)))
      } catch {
        do { left += try again(errands, after: error) } catch { fatal = fatal ?? error }
      }
    }
    // All of them, also when one has failed for good: a session whose replies nobody reads is out of step.
    for (session, errands, pipeline) in begun {
      do { left += try finish(pipeline, errands, session) } catch { fatal = fatal ?? error }
    }
    if let fatal { throw fatal }
    return left.sorted { $0.index < $1.index }
  }

  private func byNode(_ errands: [Errand]) -> [(address: Endpoint.Address, errands: [Errand])] {
    var parts: [(address: Endpoint.Address, errands: [Errand])] = []
    var places: [Endpoint.Address: Int] = [:]
    for errand in errands {
      let address = errand.target ?? cluster.address(of: errand.slot)
      let place = places[address] ?? parts.count
      if place == parts.count {
        parts.append((address, []))
        places[address] = place
      }
      parts[place].errands.append(errand)
    }
    return parts
  }

  /// Before the next round: a pause, unless all were sent elsewhere for the first time, and a look at the topology.
  private func settle(before errands: [Errand]) throws {
    if pause > .zero || errands.contains(where: { $0.target == nil }) {
      try Socket.sleep(until: min(limit, .after(pause)), interruption: cluster.interruption)
    }
    pause = min(Self.pauseMax, max(.milliseconds(10), pause * 2))
    guard cluster.isStale else { return }
    do {
      try cluster.refresh(asking: informant, deadline: limit)
    } catch let error as RedisError where error.isRetryable || error.isLoss {
      if limit.hasPassed { throw lastLoss ?? error }
    }
  }

  /// ASKING holds for the next command only.
  private func wording(_ errands: [Errand]) -> [Command] {
    errands.flatMap { $0.isAsking ? [Command("ASKING"), commands[$0.index]] : [commands[$0.index]] }
  }

  private func finish(_ pipeline: BegunPipeline, _ errands: [Errand], _ session: Session) throws -> [Errand] {
    let address = session.endpoint.address
    var answers: [Reply] = []
    var loss: (any Error)?
    do {
      try session.finish(pipeline, isIdempotent: isIdempotent, deadline: deadline, replies: &answers)
    } catch {
      loss = error
    }
    var left: [Errand] = []
    var rest = answers[...]
    var answered = 0
    for errand in errands {
      if errand.isAsking { rest = rest.dropFirst() }
      guard let reply = rest.popFirst() else { break }
      answered += 1
      if let next = note(reply, to: errand, from: address) { left.append(next) }
    }
    if let loss { left += try again(Array(errands[answered...]), after: loss) }
    return left
  }

  /// Keeps a reply; where it says that the command shall be sent again, where to.
  private func note(_ reply: Reply, to errand: Errand, from address: Endpoint.Address) -> Errand? {
    guard let redirection = Redirection(reply, from: address) else {
      replies[errand.index] = reply
      return nil
    }
    var next = Errand(index: errand.index, slot: errand.slot)
    switch redirection {
    case .moved(let target):
      cluster.markStale()
      informant = target
      next.target = target
    case .ask(let target):
      next.target = target
      next.isAsking = true
    case .later(let isTopologyStale):
      if isTopologyStale { cluster.markStale() }
    }
    guard limit.hasPassed else { return next }
    let isElsewhere = next.target != nil
    replies[errand.index] = isElsewhere ? .error(Self.unsettled) : reply
    return nil
  }

  /// In place of the last MOVED or ASK, which would mean to the caller that the server belongs to a cluster.
  private static let unsettled = ServerError(
    code: "CLUSTERDOWN", message: "the nodes have redirected the command until its time was over")

  /// What a node has not answered, if it may be sent again.
  ///
  /// - Throws: the loss, where it must not be, or where it is too late.
  private func again(_ errands: [Errand], after loss: any Error) throws -> [Errand] {
    cluster.markStale()
    guard let error = loss as? RedisError, !limit.hasPassed,
      error.isRetryable || (isIdempotent && error.isLoss)
    else { throw loss }
    lastLoss = loss
    return errands.map { Errand(index: $0.index, slot: $0.slot) }
  }
}
