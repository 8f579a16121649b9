/// What a reply of a cluster's node means for the command: it was carried out or refused, or shall be sent again.
enum Redirection: Equatable {
  /// Another node serves the slot for good.
  case moved(to: Endpoint.Address)
  /// Another node has the key already while the slot moves there.
  case ask(Endpoint.Address)
  /// It may be carried out a little later: by the same node, or by another once the cluster has sorted itself out.
  case later(isTopologyStale: Bool)

  /// Nil for a reply that is final.
  ///
  /// - Parameter node: who sent it; a redirection without a host stays on its host.
  init?(_ reply: Reply, from node: Endpoint.Address) {
    guard case .error(let error) = reply else { return nil }
    switch error.code {
    case "MOVED", "ASK":
      let parts = error.message.split(separator: " ")
      guard parts.count >= 2, let colon = parts[1].lastIndex(of: ":"),
        let port = UInt16(parts[1][parts[1].index(after: colon)...]), port > 0
      else { return nil }
      let address = node.sibling(host: String(parts[1][..<colon]), port: port)
      self = error.code == "ASK" ? .ask(address) : .moved(to: address)
    case "CLUSTERDOWN", "MASTERDOWN": self = .later(isTopologyStale: true)
    case "TRYAGAIN", "LOADING": self = .later(isTopologyStale: false)
    default: return nil
    }
  }
}
