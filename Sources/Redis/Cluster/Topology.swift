/// Which node of a cluster serves which slot, as one of its nodes sees it.
struct Topology: Equatable {
  struct Master: Equatable {
    let id: String
    let address: Endpoint.Address
  }

  /// The nodes that serve slots.
  private(set) var masters: [Master] = []
  /// Nodes that serve none but can be asked for the topology.
  private(set) var replicas: [Endpoint.Address] = []
  /// The index of a slot's master; negative where nobody serves it.
  private var owners = [Int16](repeating: -1, count: HashSlot.count)

  /// Knows no node.
  init() {}

  /// Reads the reply to CLUSTER SLOTS.
  ///
  /// - Parameter asked: where the node was reached; a node without a host is on the same one.
  /// - Throws: `RedisError.unexpectedReply`.
  init(slots reply: Reply, from asked: Endpoint.Address) throws {
    for range in try reply.array() ?? [] {
      guard let parts = try range.array(), parts.count >= 3 else {
        throw Self.malformed("a range of slots without a node")
      }
      let (first, last) = (try parts[0].integer(), try parts[1].integer())
      guard first >= 0, first <= last, last < HashSlot.count else {
        throw Self.malformed("slots \(first) to \(last)")
      }
      for (position, node) in parts[2...].enumerated() {
        guard let (address, id) = try Self.node(node, from: asked) else { continue }
        guard position == 0 else {
          if !replicas.contains(address) { replicas.append(address) }
          continue
        }
        let owner = try index(of: Master(id: id, address: address))
        for slot in Int(first)...Int(last) { owners[slot] = owner }
      }
    }
  }

  /// Where a slot is served; nil where nobody is known to.
  func owner(of slot: Int) -> Endpoint.Address? {
    let owner = Int(owners[slot])
    return owner < 0 ? nil : masters[owner].address
  }

  /// Whether both say of every slot that the same node serves it.
  func agrees(with other: Topology) -> Bool {
    let counterparts = masters.map { master in other.masters.firstIndex { $0.id == master.id } ?? -1 }
    return zip(owners, other.owners).allSatisfy { own, its in
      own < 0 ? its < 0 : its >= 0 && counterparts[Int(own)] == Int(its)
    }
  }

  private mutating func index(of master: Master) throws -> Int16 {
    if let known = masters.firstIndex(of: master) { return Int16(known) }
    // The specification recommends at most 1000 nodes; there cannot be more masters than slots.
    guard masters.count < HashSlot.count else { throw Self.malformed("more masters than slots") }
    masters.append(master)
    return Int16(masters.count - 1)
  }

  /// Nil for a node that has not said where it is (`cluster-preferred-endpoint-type hostname` without a name).
  private static func node(
    _ reply: Reply, from asked: Endpoint.Address
  ) throws -> (address: Endpoint.Address, id: String)? {
    guard let parts = try reply.array(), parts.count >= 3, let id = try parts[2].text() else {
      throw malformed("a node without an address or an id")
    }
    let host = try parts[0].text() ?? ""
    guard let port = UInt16(exactly: try parts[1].integer()), port > 0, !host.utf8.contains(0) else {
      throw malformed("a node without a port for plain connections")
    }
    return host == "?" ? nil : (asked.sibling(host: host, port: port), id)
  }

  private static func malformed(_ complaint: String) -> RedisError {
    .unexpectedReply(expected: "the slots of a cluster", got: complaint)
  }
}

extension Endpoint.Address {
  /// A node of the same cluster; an empty host is that of the node that named it.
  func sibling(host: String, port: UInt16) -> Endpoint.Address {
    guard host.isEmpty else { return .tcp(host: host, port: port) }
    switch self {
    case .tcp(let own, _): return .tcp(host: own, port: port)
    case .unix: return .tcp(host: "localhost", port: port)
    }
  }
}
