import Glibc
import Primitives
public import Redis

/// A Redis Cluster of six nodes on loopback ports: nodes 0, 1 and 2 begin as masters, node `i + 3` as the replica of `i`.
///
/// It comes up in a few seconds. Tests that do it no harm share one; those that kill nodes have their own. The watchdog
/// over the tests' directories ends the nodes with the process.
public final class RedisCluster: @unchecked Sendable {
  private struct Server {
    let port: UInt16
    let busPort: UInt16
    let directory: String
    var process: pid_t?
  }

  private static let count = 6
  private let home: TemporaryDirectory
  // Set up before the cluster is handed out; `kill` and `start` are for the one test that owns it.
  private var servers: [Server] = []

  /// For tests that kill nothing; slots may move meanwhile.
  public static func shared() throws -> RedisCluster { try common.get() }
  private static let common = Result { try RedisCluster(nodeTimeout: .seconds(15)) }

  /// Starts the nodes, and returns when all of them serve.
  ///
  /// - Parameter nodeTimeout: after which silence a node counts as failing.
  public init(nodeTimeout: Duration) throws {
    home = try TemporaryDirectory("cluster")
    let ports = try Self.freePorts(2 * Self.count)
    for index in 0..<Self.count {
      let directory = home.file(String(index))
      guard mkdir(directory, 0o755) == 0 else { throw TestFailure("mkdir: errno \(errno)") }
      servers.append(
        Server(port: ports[2 * index], busPort: ports[2 * index + 1], directory: directory, process: nil))
    }
    for index in servers.indices { try start(index) }
    try join()
    for index in servers.indices {
      try session(index).execute(
        "CONFIG", "SET", "cluster-node-timeout", .integer(Int(nodeTimeout.components.seconds) * 1000),
        "cluster-replica-no-failover", "no")
    }
  }

  deinit {
    for index in servers.indices { kill(index) }
  }

  /// Where a node listens.
  public func endpoint(_ index: Int) throws -> Endpoint {
    try Endpoint(.tcp(host: "127.0.0.1", port: servers[index].port))
  }

  /// A session with one node.
  public func session(_ index: Int) throws -> Session { try Session(connecting: endpoint(index)) }

  /// A session with the cluster, by its first node.
  public func cluster(commandTimeout: Duration = .seconds(20)) throws -> ClusterSession {
    try ClusterSession(connecting: endpoint(0), commandTimeout: commandTimeout)
  }

  /// The replica of a master, or the master of a replica, by their numbers.
  public func partner(of index: Int) -> Int { (index + 3) % Self.count }

  /// The number of the node that listens on a port.
  public func index(ofPort port: UInt16) -> Int? { servers.firstIndex { $0.port == port } }

  /// The id of a node within the cluster.
  public func id(_ index: Int) throws -> String {
    guard let id = try session(index).execute("CLUSTER", "MYID").text() else {
      throw TestFailure("node \(index) has no id")
    }
    return id
  }

  /// Which node serves a slot, in the eyes of node `witness`.
  public func owner(of slot: Int, witness: Int = 0) throws -> Int? {
    for range in try session(witness).execute("CLUSTER", "SLOTS").array() ?? [] {
      guard let parts = try range.array(), try parts[0].integer() <= slot, try parts[1].integer() >= slot,
        let port = try UInt16(exactly: parts[2].array()?[1].integer() ?? 0)
      else { continue }
      return index(ofPort: port)
    }
    return nil
  }

  // MARK: Nodes

  /// `kill -9`, and waits until it is gone.
  public func kill(_ index: Int) {
    guard let process = servers[index].process else { return }
    var status: Int32 = 0
    Glibc.kill(process, SIGKILL)
    waitpid(process, &status, 0)
    servers[index].process = nil
  }

  /// Sends a signal to a node.
  public func signal(_ index: Int, _ number: Int32) {
    guard let process = servers[index].process else { return }
    Glibc.kill(process, number)
  }

  /// Starts a node (again): it knows its cluster and holds no keys.
  public func start(_ index: Int) throws {
    let server = servers[index]
    servers[index].process = try Self.spawn(
      [
        "redis-server", "--port", String(server.port), "--cluster-port", String(server.busPort), "--bind",
        "127.0.0.1", "--dir", server.directory, "--logfile", server.directory + "/log", "--save", "",
        "--appendonly", "no", "--cluster-enabled", "yes", "--cluster-require-full-coverage", "no",
        // A replica is listed once something has reached it.
        "--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1",
        // Nodes tell each other news twice in this time, so that the cluster forms quickly.
        "--cluster-node-timeout", "400", "--cluster-replica-no-failover", "yes",
      ])
    try wait("node \(index) to answer") {
      do {
        _ = try self.session(index)
        return true
      } catch RedisError.unreachable {
        return false
      }
    }
  }

  // MARK: Forming the cluster

  private func join() throws {
    let sessions = try servers.indices.map { try session($0) }
    for (index, (first, last)) in [(0, 5460), (5461, 10922), (10923, 16383)].enumerated() {
      try sessions[index].execute("CLUSTER", "ADDSLOTSRANGE", .integer(first), .integer(last))
    }
    for (index, session) in sessions.enumerated() {
      try session.execute("CLUSTER", "SET-CONFIG-EPOCH", .integer(index + 1))
    }
    for (index, server) in servers.enumerated() {
      for session in sessions[..<index] {
        try session.execute(
          "CLUSTER", "MEET", "127.0.0.1", .integer(Int(server.port)), .integer(Int(server.busPort)))
      }
    }
    try wait("the nodes to meet") {
      try sessions.allSatisfy { session in
        let nodes = try session.execute("CLUSTER", "NODES").text() ?? ""
        return nodes.split(separator: "\n").count == Self.count && !nodes.contains("handshake")
      }
    }
    for index in 3..<Self.count {
      let id = try sessions[index - 3].execute("CLUSTER", "MYID").text() ?? ""
      try sessions[index].execute("CLUSTER", "REPLICATE", .text(id))
    }
    try wait("the replicas") {
      try sessions.allSatisfy { session in
        let slots = try session.execute("CLUSTER", "SLOTS").array() ?? []
        let replication = try session.execute("INFO", "replication").text() ?? ""
        let isLinked =
          replication.contains("role:master") || replication.contains("master_link_status:up")
        return try isLinked && slots.count == 3 && slots.allSatisfy { try $0.array()?.count == 4 }
          && session.execute("CLUSTER", "INFO").text()?.contains("cluster_state:ok") == true
      }
    }
  }

  /// Asks every 20 ms until the condition holds.
  public func wait(_ what: String, until condition: () throws -> Bool) throws {
    let deadline = Deadline.after(.seconds(60))
    while try !condition() {
      guard !deadline.hasPassed else { throw TestFailure("Waited too long for \(what) in \(home.path).") }
      usleep(20_000)
    }
  }

  private static func spawn(_ words: [String]) throws -> pid_t {
    var pointers: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    defer { for pointer in pointers { free(pointer) } }
    var child = pid_t()
    let status = posix_spawnp(&child, words[0], nil, nil, &pointers, environ)
    guard status == 0 else { throw TestFailure("\(words[0]): errno \(status)") }
    return child
  }

  /// Below those that the kernel hands out for outgoing connections, so that none takes one before its node listens.
  private static func freePorts(_ count: Int) throws -> [UInt16] {
    var listeners: [UInt16: Int32] = [:]
    defer { for descriptor in listeners.values { close(descriptor) } }
    for _ in 0..<1000 where listeners.count < count {
      let port = UInt16.random(in: 12_000..<32_000)
      guard listeners[port] == nil else { continue }
      do { listeners[port] = try SocketAddress.tcp(port: port).listen() } catch { continue }
    }
    guard listeners.count == count else { throw TestFailure("no \(count) free ports") }
    return Array(listeners.keys)
  }
}

/// Lends a cluster of its own to `body`, one at a time: on two cores the nodes of several that form and fail over at once
/// would not hear of each other in time.
public func withRedisCluster<R>(
  isolation: isolated (any Actor)? = #isolation, nodeTimeout: Duration,
  _ body: (RedisCluster) async throws -> R
) async throws -> R {
  try await clusterSlot.withSlot {
    let cluster = try await blocking { try RedisCluster(nodeTimeout: nodeTimeout) }
    return try await body(cluster)
  }
}

private let clusterSlot = ServerSlots(count: 1)
