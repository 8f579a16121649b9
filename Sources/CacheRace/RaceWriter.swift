import Cache
import Postgres
import Primitives
import Redis

/// Writes rows in transactions as IronForge does: fences before COMMIT, confirms after it, and dies now and then.
struct RaceWriter {
  private let field: RaceField
  private var database: Reconnecting<Postgres.Session>
  private var redis: Reconnecting<any CommandRunner>

  init(_ field: RaceField) {
    self.field = field
    database = Reconnecting(field.course.database)
    redis = Reconnecting(field.course.redis)
  }

  mutating func run() throws {
    defer {
      database.drop()?.close()
      redis.drop()?.close()
    }
    while !field.isOver {
      do {
        try write()
      } catch let error as RedisError {
        // The write was rolled back, or its fences could not be confirmed: nothing depends on it.
        field.judgement.note { $0.redisErrors += 1 }
        guard error.kind != .configuration else { throw error }
        field.dawdle(.milliseconds(20))
      } catch let error as PostgresError where error.isRetryable {
        database.drop()?.close()
      }
      field.dawdle(.milliseconds(24))
    }
  }

  private mutating func write() throws {
    let rows = Set((0..<Int.random(in: 1...3)).map { _ in field.randomRow() }).sorted()
    let session = try database.get()
    defer { session.rollback() }
    let bumps = rows.map { RaceStatements.bump(field.race, Int32($0)) }
    let results = try session.pipeline(session.beginning() + bumps + [RaceStatements.whoWrites()])
    let versions = try zip(rows, results.dropFirst(results.count - rows.count - 1)).map { row, result in
      (row: row, version: try result[0].decode(0, as: Int64.self))
    }
    let keys = rows.map { field.keys[$0] }
    let me = results[results.count - 1][0]
    let snapshot = try DatabaseSnapshot(text: me.decode(1, as: String.self), isFromStandby: false)
    let writer = WritingTransaction(TransactionID(try me.decode(0, as: UInt64.self)), snapshot: snapshot)
    if field.course.scheme == .fences { try field.store.fence(keys, by: writer, in: redis.get()) }
    field.dawdle(.milliseconds(6))
    if dies() {
      // Before COMMIT: the server rolls back when it notices.
      database.drop()?.close()
      return
    }
    try session.query(Statement.commit())
    field.judgement.commit(versions)
    if dies() {
      database.drop()?.close()
      redis.drop()?.close()
      return
    }
    switch field.course.scheme {
    case .fences: try field.store.confirm(keys, by: writer.id, in: redis.get())
    case .deleteAfterCommit:
      for key in keys { try redis.get().execute(Command("DEL", .text(key.text))) }
    }
  }

  private func dies() -> Bool {
    guard Double.random(in: 0..<1) < field.course.deathRate else { return false }
    field.judgement.note { $0.deaths += 1 }
    return true
  }
}
