/// How hard and how long to load a system.
public struct LoadPlan: Sendable {
  /// How many connections work at the same time, each on a thread of its own.
  public var connections: Int
  /// How long requests are measured.
  public var duration: Duration
  /// Requests before the measurement, to fill caches and to prepare statements.
  public var warmup: Duration
  /// Requests a second over all connections. Nil is a closed loop: each connection sends its next request when
  /// it has the answer to the last.
  public var rate: Double?

  public init(connections: Int, duration: Duration, warmup: Duration, rate: Double?) {
    self.connections = connections
    self.duration = duration
    self.warmup = warmup
    self.rate = rate
  }
}
