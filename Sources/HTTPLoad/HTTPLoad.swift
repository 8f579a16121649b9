internal import Bench
internal import Commands
internal import Glibc
internal import NIOCore
internal import NIOPosix
internal import Primitives

/// Runs `ironforge bench http …` with the arguments behind the program's name. Returns the exit code.
public func runHTTPLoad(_ arguments: [String]) -> Int32 {
  runIronforge(
    arguments, generating: { request, connections in try await HTTPLoad(request, connections: connections) })
}

/// Load over HTTP, from event loops: no thread and no task for a connection or a request.
struct HTTPLoad: HTTPGenerator {
  /// Idle connections to a host that an open loop keeps.
  static let idleConnectionsMax = 10

  let version: String
  let threads: Int
  private let connector: Connector
  private let address: SocketAddress
  private let group: MultiThreadedEventLoopGroup

  /// Connects once, so that a load that cannot begin says why instead of counting errors.
  ///
  /// - Throws: `connect_refused`, `name_unresolved`, `tls_failed` and their like, of kind `unreachable`; `tls_unusable`.
  init(_ request: HTTPLoadRequest, connections: Int) async throws {
    connector = try Connector(request)
    threads = min(request.threads ?? Self.threadsDefault, connections)
    group = MultiThreadedEventLoopGroup(numberOfThreads: threads)
    do {
      (version, address) = try await Probe.run(connector, on: group.next())
    } catch {
      try await group.shutdownGracefully()
      throw LoadTrouble(error).failure(loading: request.target.place)
    }
  }

  func run(_ run: LoadRun) async throws {
    let loops = Array(group.makeIterator())
    let open = LoopLoad.OpenConnections()
    let ends = loops.enumerated().map { index, loop in
      let share = LoopLoad.Share(
        connections: Self.part(index, of: run.plan.connections, among: threads),
        idleMax: Self.part(index, of: Self.idleConnectionsMax, among: threads),
        timeout: connector.request.timeout)
      let done = loop.makePromise(of: Void.self)
      loop.execute { [connector, address] in
        LoopLoad(run, connector, at: address, share, on: loop, counting: open, done: done).start()
      }
      return done.futureResult
    }
    for end in ends { try await end.get() }
  }

  func close() async throws { try await group.shutdownGracefully() }

  /// Half of the machine, for the server may be on it too; beyond four the figures of one loop would have to be bad.
  private static var threadsDefault: Int {
    max(1, min(4, sysconf(Int32(_SC_NPROCESSORS_ONLN)) / 2))
  }

  /// What one of several gets of a whole, one more or less; never nothing.
  private static func part(_ index: Int, of whole: Int, among parts: Int) -> Int {
    max(1, whole / parts + (index < whole % parts ? 1 : 0))
  }
}

/// Opens one connection and closes it again.
private final class Probe: LoadDelegate {
  private let answer: EventLoopPromise<(String, SocketAddress)>

  private init(_ answer: EventLoopPromise<(String, SocketAddress)>) { self.answer = answer }

  /// What the target speaks, and which of its addresses works.
  ///
  /// - Throws: ``LoadTrouble``.
  static func run(_ connector: Connector, on loop: any EventLoop) async throws -> (String, SocketAddress) {
    let answer = loop.makePromise(of: (String, SocketAddress).self)
    loop.execute { connector.open(slot: 0, at: nil, on: loop, telling: Probe(answer)) }
    return try await answer.futureResult.get()
  }

  func opened(_ connection: any LoadConnection) {
    if let address = connection.remoteAddress {
      answer.succeed((connection.version, address))
    } else {
      answer.fail(LoadTrouble.closed)
    }
    connection.close()
  }

  func failedToOpen(slot: Int, _ trouble: LoadTrouble) { answer.fail(trouble) }
  // Nothing is sent, and nobody cares when it closes.
  func hasRoom(_ connection: any LoadConnection) {}
  func ended(_ request: PendingRequest, on connection: any LoadConnection, failure: String?) {}
  func handedBack(_ request: PendingRequest, by connection: any LoadConnection) {}
  func closed(_ connection: any LoadConnection) {}
}
