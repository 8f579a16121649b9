import Cache
import Postgres
import Primitives
import Redis

/// Reads and writes rows of its own through L2, with delays at the nasty places, and counts what was served although it was
/// too old.
///
/// Its rows stand in `ironforge.race_rows`, its keys begin with `race:`, its registry is its own: it may run beside a
/// backend at work. What it leaves behind when it is killed ends by itself, or is removed by the next race.
public struct Race: Sendable {
  private let course: RaceCourse

  /// A race that is yet to be run.
  public init(_ course: RaceCourse) {
    self.course = course
  }

  /// Runs the race to its end.
  ///
  /// - Throws: `PostgresError`, `RedisError`, where it cannot begin or cannot go on.
  public func run() async throws -> RaceReport {
    let field = try prepare()
    let begin = monotonicNanoseconds()
    let outcome: Result<Void, any Error>
    do {
      outcome = .success(try await participate(field))
    } catch {
      outcome = .failure(error)
    }
    var report = field.judgement.report
    report.seconds = Double(monotonicNanoseconds() - begin) / 1e9
    report.hasStandby = course.standby != nil
    do {
      try cleanUp(field)
    } catch {
      // The figures count, and so does why the race failed.
      report.leftBehind = (error as? any Failure)?.message ?? String(describing: error)
    }
    try outcome.get()
    return report
  }

  private func prepare() throws -> RaceField {
    // Both are asked before anything begins.
    let redis = try course.redis()
    defer { redis.close() }
    try redis.connect(deadline: .distantFuture)
    let session = try course.database()
    defer { session.close() }
    var identifiers = IdentifierGenerator()
    let race = identifiers.next()
    try session.query(RaceStatements.forgetOld())
    try session.query(RaceStatements.insert(race, Int32(course.rows)))
    var settings = StoreSettings()
    settings.registry = RaceField.registry
    return RaceField(
      course: course, race: race,
      keys: try (0..<course.rows).map { try CacheKey(RaceField.name(race, $0)) },
      store: try FencedStore(settings), judgement: Judgement(rows: course.rows),
      deadline: .after(course.duration))
  }

  private func participate(_ field: RaceField) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in 0..<course.readers {
        group.addTask {
          try await Lane().run {
            var reader = RaceReader(field, loadsFromStandby: number % 2 == 1)
            try reader.run()
          }
        }
      }
      for _ in 0..<course.writers {
        group.addTask {
          try await Lane().run {
            var writer = RaceWriter(field)
            try writer.run()
          }
        }
      }
      if let pause = course.lossPause {
        group.addTask {
          try await Lane().run {
            var losses = RaceLosses(field, pause: pause)
            try losses.run()
          }
        }
      }
      // The first that cannot go on ends the race for all; `waitForAll` would not.
      for try await _ in group {}
    }
  }

  private func cleanUp(_ field: RaceField) throws {
    let session = try course.database()
    defer { session.close() }
    try session.query(RaceStatements.forget(field.race))
    let redis = try course.redis()
    defer { redis.close() }
    let names = field.keys.map { [$0.text, $0.sideKey] } + [[field.registryKey]]
    let commands = names.map { Command([.text("UNLINK")] + $0.map { .text($0) }) }
    try redis.pipeline(commands, isIdempotent: true) { _, reply in _ = try reply.get() }
  }
}
