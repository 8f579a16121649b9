/// The paths of SPEC section 6, "Serve".
enum Route: Equatable {
  case health
  case ready
  case metrics
  case wallets
  /// A wallet by what stands in the path.
  case wallet(String)
  case unknown

  init(path: Substring) {
    let walletPrefix = "/api/v1/wallets/"
    switch path {
    case "/api/health": self = .health
    case "/api/ready": self = .ready
    case "/metrics": self = .metrics
    case "/api/v1/wallets": self = .wallets
    case _ where path.hasPrefix(walletPrefix):
      let name = path.dropFirst(walletPrefix.count)
      guard !name.isEmpty, !name.contains("/"), let decoded = percentDecoded(name) else {
        self = .unknown
        return
      }
      self = .wallet(decoded)
    default: self = .unknown
    }
  }

  /// As counters and the log name it: no part of a path that clients choose, so their number is bounded.
  var name: String {
    switch self {
    case .health: "/api/health"
    case .ready: "/api/ready"
    case .metrics: "/metrics"
    case .wallets: "/api/v1/wallets"
    case .wallet: "/api/v1/wallets/{id}"
    case .unknown: "unknown"
    }
  }

  /// Whether it is answered without a token: a load balancer has none, and learns nothing of wallets.
  var isOpen: Bool {
    switch self {
    case .health, .ready: true
    case .metrics, .wallets, .wallet, .unknown: false
    }
  }
}
