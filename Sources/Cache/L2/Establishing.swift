import Primitives
public import Redis

/// Vouching for a server in steps, for a caller that does other things between them; see ``FencedStore/establish(_:in:isWanted:horizon:)``.
public struct Establishment: Sendable {
  let node: String
  let identity: String
  let birth: String
  /// Nil once it is over.
  var scan: KeyScan? = KeyScan()
  /// Whether the values of doubtful origin are gone, so that it can be finished.
  public var isScrubbed: Bool { scan == nil }
}

/// Vouching for servers that have restarted, been promoted, or lost their registry.
extension FencedStore {
  /// Makes every server behind the runner trusted, unless it is: deletes the values and side hashes of the cache's keys, and
  /// records in the registry whose fences may have been lost. Until those are over, nothing is filled.
  ///
  /// - Parameters:
  ///   - isWanted: asked between the steps, of which there is one for a thousand keys of Redis.
  ///   - horizon: asks the primary database now.
  /// - Returns: whether all servers are trusted now; no, where INFO is not allowed, a server was replaced meanwhile, or it is
  ///   no longer wanted.
  /// - Throws: `RedisError`; what `horizon` throws.
  public func establish(
    _ servers: TrustedServers, in runner: some CommandRunner, isWanted: () -> Bool = { true },
    horizon: () throws -> Horizon
  ) throws -> Bool {
    for var step in try beginEstablishing(servers, in: runner) {
      while !step.isScrubbed {
        guard isWanted() else { return false }
        try scrub(&step, servers, in: runner)
      }
      guard try finish(step, horizon: horizon(), servers, in: runner) else { return false }
    }
    return try trustsAll(servers, in: runner)
  }

  /// Whether every server behind the runner is trusted.
  func trustsAll(_ servers: TrustedServers, in runner: some CommandRunner) throws -> Bool {
    try runner.nodes().allSatisfy { try servers.verify($0, in: runner) }
  }

  /// Begins for each server that is not trusted. The horizon must be asked for after this.
  ///
  /// - Throws: `RedisError`.
  public func beginEstablishing(_ servers: TrustedServers, in runner: some CommandRunner) throws
    -> [Establishment]
  {
    var begun: [Establishment] = []
    for node in try runner.nodes() {
      guard try !servers.verify(node, in: runner), let identity = try servers.askIdentity(of: node) else {
        continue
      }
      // If the registry is lost from here on, its birth is another, and `finish` sees it.
      try runner.execute(
        Command("HSETNX", .text(registryKey), "birth", .text(newToken())), isIdempotent: true)
      let birth = try runner.execute(Command("HGET", .text(registryKey), "birth"), isIdempotent: true)
      guard let birth = try birth.text() else { continue }
      begun.append(Establishment(node: node.id, identity: identity, birth: birth))
    }
    return begun
  }

  /// Deletes the next part of what is doubtful.
  ///
  /// - Throws: `RedisError`.
  public func scrub(
    _ step: inout Establishment, _ servers: TrustedServers, in runner: some CommandRunner
  ) throws {
    guard var scan = step.scan else { return }
    guard let node = try runner.nodes().first(where: { $0.id == step.node }) else {
      // It has left the cluster, and `finish` will find that too.
      step.scan = nil
      return
    }
    let names = try scan.next(in: node.session)
    // A value goes with its side hash and the reverse: a fill by a lease out of the dump might otherwise put a value behind
    // the cursor while the side hash is still before it.
    let keys = Set(names.compactMap(CacheKey.owner).filter(servers.keys.contains))
    let commands = keys.map { Command("UNLINK", .text($0.text), .text($0.sideKey)) }
    try node.session.pipeline(commands, isIdempotent: true) { _, reply in
      // A slot that has moved away is another node's business.
      if case .error(let error) = reply, error.code != "MOVED", error.code != "ASK" {
        throw RedisError.server(error)
      }
    }
    // Not before they are gone: a step that failed is taken again.
    step.scan = scan.isOver ? nil : scan
  }

  /// Records that a server is trusted again.
  ///
  /// - Parameter horizon: what the primary database has said since this was begun.
  /// - Returns: false where the server or the registry was lost meanwhile, and it must be begun again.
  /// - Throws: `RedisError`.
  public func finish(
    _ step: Establishment, horizon: Horizon, _ servers: TrustedServers, in runner: some CommandRunner
  ) throws -> Bool {
    guard step.isScrubbed, let node = try runner.nodes().first(where: { $0.id == step.node }),
      // The whole scan was one process's.
      try servers.askIdentity(of: node) == step.identity
    else { return false }
    let fields = servers.homeFields(of: node).map { Argument.text($0) }
    let reply = try runner.execute(
      Command(
        FenceScripts.establish, keys: [.text(registryKey)],
        arguments: [
          .text(step.birth), .text(horizon.latest.description), .text(step.identity),
          .text(horizon.fencing.map(\.description).joined(separator: ",")), .integer(Self.registryMax),
        ] + fields),
      isIdempotent: true)
    guard try reply.integer() == 1 else { return false }
    return try servers.verify(node, in: runner)
  }
}
