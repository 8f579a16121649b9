/// A part of an open loop: so many requests a second for so long.
public struct LoadStage: Sendable, Hashable {
  /// How long the rate holds.
  public let duration: Duration
  /// Requests a second over all connections, above 0.
  public let rate: Double

  public init(duration: Duration, rate: Double) {
    self.duration = duration
    self.rate = rate
  }
}

/// How hard and how long to load a system.
public struct LoadPlan: Sendable, Hashable {
  /// When requests are sent.
  public enum Arrivals: Sendable, Hashable {
    /// A closed loop: each connection sends its next request when it has the answer to the last.
    case closed(Duration)
    /// An open loop: requests are due at even distances, whether answers come or not. The rate of a stage holds from its
    /// first moment to its last.
    case open([LoadStage])
  }

  /// How many connections work at the same time.
  public var connections: Int
  /// Requests before the measurement, to fill caches and to prepare statements; those of an open loop at the rate of its
  /// first stage.
  public var warmup: Duration
  /// When requests are sent, and how long they are measured.
  public var arrivals: Arrivals

  public init(connections: Int, warmup: Duration, arrivals: Arrivals) {
    self.connections = connections
    self.warmup = warmup
    self.arrivals = arrivals
  }

  /// How long requests are measured.
  public var duration: Duration {
    switch arrivals {
    case .closed(let duration): duration
    case .open(let stages): stages.reduce(.zero) { $0 + $1.duration }
    }
  }

  /// The stages of an open loop; none of a closed one.
  public var stages: [LoadStage] {
    switch arrivals {
    case .closed: []
    case .open(let stages): stages
    }
  }

  /// Whether requests are due whatever becomes of those before.
  public var isOpen: Bool {
    switch arrivals {
    case .closed: false
    case .open: true
    }
  }
}
