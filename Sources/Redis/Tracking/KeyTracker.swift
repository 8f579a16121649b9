import ConnectionPool
public import Primitives
import Synchronization

/// What a ``KeyTracker`` keeps from growing old: values that were read from Redis and are held in this process.
public protocol TrackedValues: AnyObject, Sendable {
  /// A key has changed in Redis: its value is to be dropped, also one that is being read at this moment.
  func remove(_ key: String)
  /// Anything may have changed unheard: everything is to be dropped, also what is being read at this moment.
  func removeAll()
  /// Values may be served until then, whatever becomes of the connection; later only after the next such call.
  func serve(until deadline: Deadline)
}

/// Follows what happens to keys in Redis, on a thread of its own, and drops the values of those that change.
///
/// ```swift
/// let tracker = try KeyTracker(of: l1, prefixes: ["user:", "wallet:"], endpoint: endpoint)
/// defer { tracker.stop() }
/// ```
///
/// A connection lies between the change and the drop, and connections fall silent. So a PING is sent every half second, and its
/// answer proves that all changes before it have been heard: values may be served until ``boundMax`` after it was sent.
/// That is how old a served value can be: however the connection ends, nobody is told anything for longer than that. When
/// it breaks, everything is dropped, and once more when another stands.
///
/// In a cluster there is one connection a master, and all masters must agree on who they are, which is asked as often: one
/// that was cut off and replaced does not know of it. While one of them is missing nothing is served.
///
/// Needs Redis 6.0 and the right to CLIENT, SUBSCRIBE and the channel `__redis__:invalidate` (in ACL: `+client +subscribe
/// +ping &__redis__:invalidate`; in a cluster also `+cluster|slots`).
public final class KeyTracker: Sendable {
  /// How old a value can be that is served.
  public static let boundMax = Duration.milliseconds(1500)
  /// From one PING to the next.
  static let heartbeat = Duration.milliseconds(500)

  private let worker: TrackingWorker
  private let interruption: Interruption
  private let work: UInt64

  /// Begins to follow. Values may be served a little later.
  ///
  /// - Parameters:
  ///   - values: dropped at once, and served only while followed.
  ///   - prefixes: what the keys begin with: `user:`.
  ///   - isCluster: whether the endpoint is a node of a Redis Cluster.
  ///   - connectTimeout: for a connection to one server; until it is over the others are not heard.
  /// - Throws: a `Failure` when the process is out of file descriptors; `RedisError.invalidEndpoint` for a cluster and a
  ///   database other than 0.
  public init(
    of values: any TrackedValues, prefixes: [String], endpoint: Endpoint, isCluster: Bool = false,
    connectTimeout: Duration = .seconds(5)
  ) throws {
    interruption = try Interruption()
    work = interruption.begin()
    values.serve(until: .after(.zero))
    let cluster =
      isCluster
      ? try ClusterSession(
        endpoint, connectTimeout: connectTimeout, commandTimeout: Self.boundMax, interruption: interruption)
      : nil
    worker = TrackingWorker(
      TrackingLoop(
        values, prefixes: prefixes, endpoint: endpoint, cluster: cluster, connectTimeout: connectTimeout,
        interruption: interruption))
    Task.detached { [worker] in await worker.run() }
  }

  /// Why nothing is served now, if something has gone wrong.
  public var trouble: (any Error)? { worker.trouble.withLock { $0 } }

  /// Ends it, and soon after drops the values, which are not served any more. Also done when the tracker is released.
  public func stop() { interruption.signal(work) }

  deinit { stop() }
}

/// The thread.
private actor TrackingWorker {
  private let executor = ThreadExecutor()
  private let loop: TrackingLoop
  nonisolated let trouble = Mutex<(any Error)?>(nil)

  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  init(_ loop: sending TrackingLoop) {
    self.loop = loop
  }

  func run() {
    loop.run { error in trouble.withLock { $0 = error } }
  }
}
