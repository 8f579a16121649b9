public import Redis

/// The right to fill one key once, until a write fences the key or the lease runs out.
public struct FillLease: Sendable, Hashable {
  /// The key that may be filled.
  public let key: CacheKey
  let token: String
  /// The registry as it was after the lease was granted, where fences of the key may have been lost.
  let registry: Registry?
}

/// What Redis says of a key.
public enum StoreReading: Sendable, Hashable {
  /// The value, and the time that it has left there.
  case value(CachedValue, timeLeft: Duration)
  /// There is none, and the caller is the one to load it. The load must begin after this.
  case granted(FillLease)
  /// There is none, and somebody else loads it.
  case beingLoaded
  /// What is there may be older than it should be: the server has restarted, been replaced or lost its registry since
  /// anybody vouched for its values. See ``FencedStore/establish(_:in:isWanted:horizon:)``.
  case untrusted
}

extension FencedStore {
  /// What `grant` of the scripts returns.
  enum Grant: Int64 { case taken, granted, grantedWithoutHistory }

  /// Reads a key, or asks for the right to fill it.
  ///
  /// - Throws: `RedisError`; `SimpleFailure` as ``TrustedServers/verify(_:in:)`` does.
  public func read(
    _ key: CacheKey, trusting servers: TrustedServers, in runner: some CommandRunner
  ) throws -> StoreReading {
    guard try servers.verify(key.text, in: runner) else { return .untrusted }
    let token = newToken()
    let reply: Reply
    do {
      reply = try runner.execute(
        Command(
          FenceScripts.getOrLease, keys: pairs([key]),
          arguments: [.text(token), milliseconds(settings.leaseLife)]))
    } catch RedisError.server(let error) where error.code == "READONLY" {
      // Demoted under the connection. Should it be promoted again, its values are others'.
      servers.forget(try runner.node(of: key.text))
      throw RedisError.server(error)
    }
    // The command may have gone over a new connection, to another server. A lease that was granted there just ends.
    guard try servers.trusts(key.text, in: runner) else { return .untrusted }
    guard let parts = try reply.array(), parts.count == 2 else {
      throw RedisError.unexpectedReply(expected: "two elements", got: "others")
    }
    if let text = try parts[0].text() {
      let left = try parts[1].integer()
      // -1: another program has stored it without an end.
      let timeLeft = left < 0 ? settings.timeToLive : .milliseconds(left)
      return .value(text == "null" ? .absent : .text(text), timeLeft: timeLeft)
    }
    return try lease(key, token, try parts[1].integer(), servers, runner)
  }

  /// Asks for the right to load a value anew while it still lives; nil when another has it.
  ///
  /// - Throws: as ``read(_:trusting:in:)``.
  public func refreshLease(
    _ key: CacheKey, trusting servers: TrustedServers, in runner: some CommandRunner
  ) throws -> FillLease? {
    let token = newToken()
    let reply = try runner.execute(leasing([key][...], token))
    guard let grant = try reply.array()?.first else {
      throw RedisError.unexpectedReply(expected: "one element", got: "none")
    }
    guard case .granted(let lease) = try lease(key, token, try grant.integer(), servers, runner) else {
      return nil
    }
    return lease
  }

  private func lease(
    _ key: CacheKey, _ token: String, _ number: Int64, _ servers: TrustedServers, _ runner: some CommandRunner
  ) throws -> StoreReading {
    switch Grant(rawValue: number) {
    case .taken: return .beingLoaded
    case .granted: return .granted(FillLease(key: key, token: token, registry: nil))
    case .grantedWithoutHistory:
      // What was fenced before the lease and lost had entered the registry before; what is fenced from now on takes the
      // lease away.
      if let registry = try servers.registry(for: [key.text], in: runner) {
        return .granted(FillLease(key: key, token: token, registry: registry))
      }
      try release([key], token, in: runner)
      return .untrusted
    case nil: throw RedisError.unexpectedReply(expected: "0, 1 or 2", got: String(number))
    }
  }

  /// Gives the lease back, where the load has failed, so that the next reader need not wait for its end.
  ///
  /// - Throws: `RedisError`.
  public func release(_ lease: FillLease, in runner: some CommandRunner) throws {
    try release([lease.key], lease.token, in: runner)
  }

  func release(_ keys: [CacheKey], _ token: String, in runner: some CommandRunner) throws {
    let commands = groups(keys, by: \.self, in: runner).map { keys in
      Command(FenceScripts.release, keys: pairs(keys), arguments: [.text(token)])
    }
    try runner.pipeline(commands, isIdempotent: true) { _, reply in _ = try reply.get() }
  }

  func leasing(_ keys: ArraySlice<CacheKey>, _ token: String) -> Command {
    Command(
      FenceScripts.lease, keys: pairs(keys), arguments: [.text(token), milliseconds(settings.leaseLife)])
  }

  /// Of 64 random bits.
  func newToken() -> String { String(UInt64.random(in: .min ... .max), radix: 36) }
}
