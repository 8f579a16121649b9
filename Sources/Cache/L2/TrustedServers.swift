import Primitives
public import Redis
import Synchronization

/// Over which connections a runner reaches servers whose values may be served.
///
/// Redis loses what it acknowledged when it restarts from a dump or a replica is promoted, deletions too. So a value counts
/// only while the server that holds it is the process, in the role, for which somebody has vouched in the registry since
/// (``FencedStore/establish(_:in:isWanted:horizon:)``). That is asked once a connection: a process does not change under one. For
/// one runner; another has another.
public final class TrustedServers: Sendable {
  private struct Link: Hashable {
    var session: ObjectIdentifier
    var epoch: Int

    init(_ node: Node) {
      session = ObjectIdentifier(node.session)
      epoch = node.session.epoch
    }
  }

  private struct State {
    /// By node.
    var identities: [String: (link: Link, identity: String)] = [:]
    var refused: Set<Link> = []
    var refusal: RedisError?
  }

  /// The keys that are read and filled over these connections.
  let keys: KeySpace
  let registryKey: String
  private let state = Mutex(State())

  /// The oldest Redis that is good enough: `SET … GET`.
  private static let versionMin = (6, 2)

  /// None yet.
  ///
  /// - Parameters:
  ///   - keys: those that are read and filled over these connections. Vouching for a server deletes the values of these.
  ///   - registry: that of the store's settings.
  public init(_ keys: KeySpace, registry: String = StoreSettings().registry) {
    self.keys = keys
    registryKey = Registry.key(registry)
  }

  /// Why no server can be trusted, where its user may not say INFO: reads then go to the database. Nil otherwise.
  public var refusal: RedisError? { state.withLock(\.refusal) }

  /// Whether the connection that a key is reached over now is known to be trusted. Asks nobody.
  func trusts(_ key: String, in runner: some CommandRunner) throws -> Bool {
    identity(of: try runner.node(of: key)) != nil
  }

  /// Whether the connection that a key is reached over is trusted; asks the server and the registry the first time.
  ///
  /// - Throws: `RedisError`; `redis_too_old`.
  public func verify(_ key: String, in runner: some CommandRunner) throws -> Bool {
    try verify(runner.node(of: key), in: runner)
  }

  func verify(_ node: Node, in runner: some CommandRunner) throws -> Bool {
    if identity(of: node) != nil { return true }
    guard let identity = try askIdentity(of: node) else { return false }
    let link = Link(node)
    let fields = homeFields(of: node)
    let homes = try runner.execute(
      Command([.text("HMGET"), .text(registryKey)] + fields.map { .text($0) }), isIdempotent: true)
    guard try homes.array()?.allSatisfy({ try $0.text() == identity }) == true else { return false }
    state.withLock { $0.identities[node.id] = (link, identity) }
    return true
  }

  /// The registry, if it and the servers of keys are trusted, by its own word.
  func registry(for keys: some Sequence<String>, in runner: some CommandRunner) throws -> Registry? {
    guard try verify(registryKey, in: runner) else { return nil }
    let registry = try Registry(registryKey, in: runner)
    return try confirms(registry, for: keys, in: runner) ? registry : nil
  }

  /// Whether a registry names the servers of keys, and its own, as the ones that are trusted. Otherwise they no longer are.
  func confirms(_ registry: Registry, for keys: some Sequence<String>, in runner: some CommandRunner) throws
    -> Bool
  {
    var checked: Set<String> = []
    for key in [registryKey] + keys {
      let node = try runner.node(of: key)
      guard checked.insert(node.id).inserted else { continue }
      guard let identity = identity(of: node),
        homeFields(of: node).allSatisfy({ registry.homes[$0] == identity })
      else {
        // It has been lost, and with it what it could say.
        forget(node)
        return false
      }
    }
    return true
  }

  func homeFields(of node: Node) -> [String] { keys.prefixes.map { Registry.homeField(node.id, $0) } }

  /// Which process the server is and which history of data it follows: `run_id` changes with a restart, `master_replid`
  /// with a promotion. Nil where the user may not ask.
  ///
  /// - Throws: `RedisError`; `redis_too_old`.
  func askIdentity(of node: Node) throws -> String? {
    let link = Link(node)
    if state.withLock({ $0.refused.contains(link) }) { return nil }
    do {
      let info = try node.session.execute(Command("INFO"), isIdempotent: true).text() ?? ""
      return try Self.identity(info: info)
    } catch RedisError.server(let error) where error.code == "NOPERM" {
      state.withLock { state in
        // Of this session, connections before this one are gone; other masters' stay.
        let refusing = Link(node)
        state.refused = state.refused.filter { $0.session != refusing.session }
        state.refused.insert(refusing)
        state.refusal = .server(error)
      }
      return nil
    }
  }

  static func identity(info: String) throws -> String {
    var fields: [Substring: Substring] = [:]
    for line in info.split(whereSeparator: \.isNewline) {
      guard let colon = line.firstIndex(of: ":") else { continue }
      fields[line[..<colon]] = line[line.index(after: colon)...]
    }
    guard let process = fields["run_id"], let history = fields["master_replid"],
      let version = fields["redis_version"]
    else {
      throw RedisError.unexpectedReply(expected: "run_id, master_replid and redis_version", got: "others")
    }
    let numbers = version.split(separator: ".").map { Int($0) ?? 0 }
    guard numbers.count >= 2, (numbers[0], numbers[1]) >= versionMin else {
      throw SimpleFailure(
        .configuration, code: "redis_too_old", message: "Redis \(version) has no SET with PX and GET",
        hint: "use Redis \(versionMin.0).\(versionMin.1) or newer")
    }
    return "\(process) \(history)"
  }

  private func identity(of node: Node) -> String? {
    state.withLock { state in
      guard let known = state.identities[node.id], known.link == Link(node) else { return nil }
      return known.identity
    }
  }

  func forget(_ node: Node) {
    state.withLock { _ = $0.identities.removeValue(forKey: node.id) }
  }
}
