import Primitives

/// What a ``KeyTracker`` does, on one thread: connects, sends PINGs, listens, and drops.
final class TrackingLoop {
  private struct Line {
    let connection: TrackingConnection
    /// Until when the answer to the PING that is under way lets values be served; after that it is too late.
    var ping: Deadline?
    var nextPing = Deadline.after(.zero)
    /// What the last answer has said; nil before the first.
    var serves: Deadline?
  }

  private let values: any TrackedValues
  private let prefixes: [String]
  private let endpoint: Endpoint
  private let cluster: ClusterSession?
  private let connectTimeout: Duration
  private let interruption: Interruption

  private var lines: [Endpoint.Address: Line] = [:]
  private var topology: Topology?
  /// Until when the masters' latest agreement lets values be served, and when they are asked again.
  private var agreement: (serves: Deadline?, next: Deadline) = (nil, .after(.zero))
  /// The latest word to the values.
  private var served = Deadline.after(.zero)
  private var retry = Deadline.after(.zero)
  private var pause = pauseMin

  private static let pauseMin = Duration.milliseconds(50)
  private static let pauseMax = Duration.seconds(1)

  /// - Parameter cluster: nil for one server at `endpoint`.
  init(
    _ values: any TrackedValues, prefixes: [String], endpoint: Endpoint, cluster: ClusterSession?,
    connectTimeout: Duration, interruption: Interruption
  ) {
    self.values = values
    self.prefixes = prefixes
    self.endpoint = endpoint
    self.cluster = cluster
    self.connectTimeout = connectTimeout
    self.interruption = interruption
  }

  /// Until it is interrupted.
  ///
  /// - Parameter report: hears of each trouble, and nil when it is over.
  func run(report: ((any Error)?) -> Void) {
    while true {
      do {
        try askMasters()
        try connect()
        try sendPings()
        if let serves, serves > served {
          values.serve(until: serves)
          served = serves
          report(nil)
        }
        try Wire.wait(
          for: lines.values.map(\.connection.wire), deadline: nextEvent, interruption: interruption)
        try listen()
      } catch is CancellationError {
        break
      } catch {
        report(error)
      }
    }
    lines = [:]
    cluster?.close()
    drop()
  }

  /// Until when values may be served; nil while not every server is followed.
  private var serves: Deadline? {
    guard !addresses.isEmpty, lines.count == addresses.count else { return nil }
    var least = Deadline.distantFuture
    for line in lines.values {
      guard let serves = line.serves else { return nil }
      least = min(least, serves)
    }
    guard cluster != nil else { return least }
    return agreement.serves.map { min($0, least) }
  }

  private var addresses: [Endpoint.Address] {
    cluster == nil ? [endpoint.address] : topology?.masters.map(\.address) ?? []
  }

  private var nextEvent: Deadline {
    var next = lines.count < addresses.count ? retry : .distantFuture
    for line in lines.values { next = min(next, line.ping ?? line.nextPing) }
    return cluster == nil ? next : min(next, agreement.next)
  }

  // MARK: Steps

  private func askMasters() throws {
    guard let cluster, agreement.next.hasPassed else { return }
    let serves = Deadline.after(KeyTracker.boundMax)
    agreement.next = .after(KeyTracker.heartbeat)
    guard let agreed = try cluster.agreedTopology(deadline: serves) else { return }
    agreement.serves = serves
    if let topology, topology.agrees(with: agreed), topology.masters == agreed.masters { return }
    // A key may have come under a node that was not yet listened to.
    topology = agreed
    let addresses = Set(addresses)
    lines = lines.filter { addresses.contains($0.key) }
    values.removeAll()
  }

  private func connect() throws {
    guard lines.count < addresses.count, retry.hasPassed else { return }
    // Whether this fails or the server ends it soon: not at once again.
    retry = .after(pause)
    pause = min(Self.pauseMax, pause * 2)
    let deadline = Deadline.after(connectTimeout)
    for address in addresses where lines[address] == nil {
      let connection = try TrackingConnection(
        to: cluster == nil ? endpoint : endpoint.node(at: address), prefixes: prefixes,
        deadline: deadline, interruption: interruption)
      lines[address] = Line(connection: connection)
      // What was read before may have changed before anybody listened.
      values.removeAll()
    }
  }

  private func sendPings() throws {
    for (address, line) in lines {
      if let ping = line.ping {
        guard ping.hasPassed else { continue }
        throw lose(address, line.connection.lost("it does not answer PING"))
      }
      guard line.nextPing.hasPassed else { continue }
      lines[address]?.nextPing = .after(KeyTracker.heartbeat)
      lines[address]?.ping = .after(KeyTracker.boundMax)
      do { try line.connection.ping() } catch { throw lose(address, error) }
    }
  }

  private func listen() throws {
    for (address, line) in lines {
      let events: [TrackingConnection.Event]
      do { events = try line.connection.events() } catch { throw lose(address, error) }
      for event in events {
        switch event {
        case .changed(let keys): for key in keys { values.remove(key) }
        case .flushed: values.removeAll()
        case .pong:
          lines[address]?.serves = line.ping
          lines[address]?.ping = nil
          pause = Self.pauseMin
        }
      }
    }
  }

  /// Gives a connection up. What it may have failed to say concerns everything that is held.
  private func lose(_ address: Endpoint.Address, _ error: any Error) -> any Error {
    lines[address] = nil
    drop()
    return error
  }

  private func drop() {
    values.serve(until: .after(.zero))
    values.removeAll()
  }
}
