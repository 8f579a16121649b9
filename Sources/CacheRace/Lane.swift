import Cache
import ConnectionPool
import Postgres
import Primitives
import Redis

/// What the participants of one race share.
struct RaceField: Sendable {
  let course: RaceCourse
  let race: Identifier
  let keys: [CacheKey]
  let store: FencedStore
  let judgement: Judgement
  let deadline: Deadline

  /// The registry is the race's own, so that it can be lost without a loss to others, and their long transactions do not
  /// hold up its fills.
  static let prefix = "race:"
  static let registry = "ironforge-race"

  /// The keys of all races that are run, since they share the registry: `race:ID-ROW`.
  static let keys = KeySpace(prefixes: [prefix]) { key in
    let parts = key.text.dropFirst(prefix.utf8.count)
    guard let dash = parts.lastIndex(of: "-"), let race = Identifier(parts[..<dash]),
      let row = Int(parts[parts.index(after: dash)...])
    else { return false }
    return key.text == name(race, row)
  }

  static func name(_ race: Identifier, _ row: Int) -> String { "\(prefix)\(race)-\(row)" }

  var registryKey: String { "fence:{\(Self.registry)}" }

  var isOver: Bool { deadline.hasPassed || Task.isCancelled || course.shouldStop(judgement.report) }

  /// The first rows are written and read most, the last hardly ever: a standby that lags comes to fill those.
  func randomRow() -> Int {
    let draw = Double.random(in: 0..<1)
    return Int(draw * draw * Double(keys.count))
  }

  /// Waits up to `most`, most often a short time; never beyond the end of the race by more than that.
  func dawdle(_ most: Duration) {
    let share = Double.random(in: 0..<1)
    pause(for: most * (share * share)) {}
  }
}

/// A thread of its own for one participant.
actor Lane {
  private let executor = ThreadExecutor()

  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  func run(_ body: @Sendable () throws -> Void) throws { try body() }
}

/// A session that is made when it is needed, and made anew after it was lost.
struct Reconnecting<Session> {
  private let connect: () throws -> Session
  private var session: Session?

  init(_ connect: @escaping () throws -> Session) {
    self.connect = connect
  }

  mutating func get() throws -> Session {
    if let session { return session }
    let made = try connect()
    session = made
    return made
  }

  /// Forgets the session, and returns it for whoever wants to close it.
  @discardableResult
  mutating func drop() -> Session? {
    defer { session = nil }
    return session
  }
}
