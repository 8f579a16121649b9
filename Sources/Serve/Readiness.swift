internal import Commands
internal import Configuration
internal import NIOHTTP1
internal import Postgres
internal import Primitives
internal import Redis
import Synchronization

/// Whether PostgreSQL and Redis answer. Each is asked once a second over a connection of its own, so that neither load nor
/// a request for readiness changes what is measured, and asking costs nothing.
final class Readiness: Sendable {
  /// What a server did when it was last asked.
  struct Reply: Sendable {
    var isUp = false
    /// Why not, as a stable code.
    var code: String? = "not_asked_yet"
    var milliseconds = 0.0
    var time = Int64.min
  }

  private struct State {
    var postgres = Reply()
    var redis = Reply()
    var isDraining = false
  }

  private let state = Mutex(State())
  private let target: ConnectionString
  private let options: SessionOptions
  private let redis: Redis.Connection

  private static let pause = Duration.seconds(1)
  /// A server that has not answered for so long is down, whatever it said last.
  private static let age = Int64(5_000_000_000)

  /// - Throws: `ConfigurationFailure`; `redis_url`.
  init(_ context: CommandContext) throws {
    let configuration = try context.configuration()
    target = try ConnectionString(try configuration.database().value)
    options = SessionOptions(
      connectTimeout: .seconds(2), statementTimeout: .seconds(2), lockTimeout: .seconds(2))
    redis = try Redis.Connection(
      Endpoint(url: try configuration.redis().value), isCluster: configuration.values.redis.cluster,
      connectTimeout: .seconds(1), commandTimeout: .seconds(1))
  }

  /// Asks until the task is cancelled.
  func watch() async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { [self] in await watchPostgres() }
      group.addTask { [self] in await watchRedis() }
    }
  }

  func drain() { state.withLock { $0.isDraining = true } }

  /// For counters: by name.
  var dependencies: [(name: String, isUp: Bool)] {
    let (postgres, redis) = current
    return [("postgres", postgres.isUp), ("redis", redis.isUp)]
  }

  /// 200 while wallets can be read. Without Redis they can, only slower.
  var response: ServedResponse {
    let isDraining = state.withLock(\.isDraining)
    let (postgres, redis) = current
    let status = isDraining ? "draining" : !postgres.isUp ? "down" : redis.isUp ? "ready" : "degraded"
    var response = ServedResponse(
      isDraining || !postgres.isUp ? .serviceUnavailable : .ok,
      ["status": .string(status), "postgres": Self.json(postgres), "redis": Self.json(redis)])
    if response.status == .serviceUnavailable { response.headers.add(name: "retry-after", value: "1") }
    return response
  }

  private var current: (postgres: Reply, redis: Reply) {
    let now = monotonicNanoseconds()
    func judged(_ reply: Reply) -> Reply {
      guard reply.isUp, now - reply.time > Self.age else { return reply }
      return Reply(isUp: false, code: "no_answer", milliseconds: reply.milliseconds, time: reply.time)
    }
    return state.withLock { (judged($0.postgres), judged($0.redis)) }
  }

  private static func json(_ reply: Reply) -> JSON {
    [
      "status": .string(reply.isUp ? "up" : "down"), "code": .optional(reply.code),
      "ms": .number((reply.milliseconds * 1000).rounded() / 1000),
    ]
  }

  private func watchPostgres() async {
    var connection: Postgres.Connection?
    while !Task.isCancelled {
      let begin = monotonicNanoseconds()
      do {
        let open: Postgres.Connection
        if let connection {
          open = connection
        } else {
          open = try await Postgres.Connection.connect(to: target, options: options)
          connection = open
        }
        try await open.withSession { session in
          _ = try session.query(ServeStatements.probe())
        }
        note(\.postgres, begin, nil)
      } catch {
        note(\.postgres, begin, error)
        await connection?.close()
        connection = nil
      }
      await rest()
    }
    await connection?.close()
  }

  private func watchRedis() async {
    while !Task.isCancelled {
      let begin = monotonicNanoseconds()
      do {
        _ = try await redis.execute(Command("PING"), isIdempotent: true)
        note(\.redis, begin, nil)
      } catch {
        note(\.redis, begin, error)
      }
      await rest()
    }
    await redis.close()
  }

  private func note(
    _ path: any WritableKeyPath<State, Reply> & Sendable, _ begin: Int64, _ error: (any Error)?
  ) {
    if error is CancellationError { return }
    let now = monotonicNanoseconds()
    let reply = Reply(
      isUp: error == nil, code: error.map { ErrorReport($0).code },
      milliseconds: Double(now - begin) / 1e6, time: now)
    state.withLock { $0[keyPath: path] = reply }
  }

  private func rest() async {
    do {
      try await Task.sleep(for: Self.pause)
    } catch {
      return  // Cancelled: the loop sees it.
    }
  }
}
