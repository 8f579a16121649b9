import Cache
import Postgres
import Primitives
import Redis

/// Reads rows through L2, takes its time between load and fill, and has every answer of L2 judged.
struct RaceReader {
  private let field: RaceField
  private let servers = TrustedServers(RaceField.keys, registry: RaceField.registry)
  private var primary: Reconnecting<Postgres.Session>
  private var loader: Reconnecting<Postgres.Session>?
  private var redis: Reconnecting<any CommandRunner>

  init(_ field: RaceField, loadsFromStandby: Bool) {
    self.field = field
    primary = Reconnecting(field.course.database)
    loader = loadsFromStandby ? field.course.standby.map { Reconnecting($0) } : nil
    redis = Reconnecting(field.course.redis)
  }

  mutating func run() throws {
    defer {
      primary.drop()?.close()
      loader?.drop()?.close()
      redis.drop()?.close()
    }
    while !field.isOver {
      let row = field.randomRow()
      do {
        switch field.course.scheme {
        case .fences: try read(row)
        case .deleteAfterCommit: try readUnfenced(row)
        }
      } catch let error as RedisError {
        field.judgement.note { $0.redisErrors += 1 }
        guard error.kind != .configuration else { throw error }
        field.dawdle(.milliseconds(20))
      } catch let error as PostgresError where error.isRetryable {
        // A standby cancels what stands in the way of its recovery.
        loader?.drop()?.close()
        primary.drop()?.close()
      }
    }
  }

  private mutating func read(_ row: Int) throws {
    let key = field.keys[row]
    let session = try redis.get()
    let known = field.judgement.committed(row)
    switch try field.store.read(key, trusting: servers, in: session) {
    case .value(let value, _): field.judgement.hit(key.text, served: version(value), known: known)
    case .granted(let lease):
      field.dawdle(.milliseconds(2))
      let loaded = try load(row)
      field.dawdle(.milliseconds(8))
      let outcome = try field.store.fill(loaded, under: lease, in: session)
      field.judgement.note { report in
        report.reads += 1
        if outcome == .stored { report.fills += 1 } else { report.refusals += 1 }
      }
    case .beingLoaded:
      field.judgement.note { $0.reads += 1 }
      field.dawdle(.milliseconds(2))
    case .untrusted: try establish(session)
    }
  }

  private mutating func establish(_ session: some CommandRunner) throws {
    let database = try primary.get()
    let isDone = try field.store.establish(servers, in: session, isWanted: { !field.isOver }) {
      try database.transaction {
        let latest: UInt64 = try database.query(RaceStatements.horizon())[0].decode(0)
        let fencing = try RaceStatements.mark.bearers(upTo: latest, database)
        return Horizon(latest: TransactionID(latest), fencing: fencing.map(TransactionID.init))
      }
    }
    if isDone {
      field.judgement.note { $0.establishments += 1 }
    } else if let refusal = servers.refusal {
      throw refusal
    }
  }

  private mutating func readUnfenced(_ row: Int) throws {
    let key = Argument.text(field.keys[row].text)
    let session = try redis.get()
    let known = field.judgement.committed(row)
    if let text = try session.execute(Command("GET", key)).text() {
      field.judgement.hit(field.keys[row].text, served: version(.text(text)), known: known)
      return
    }
    let loaded = try load(row)
    field.dawdle(.milliseconds(8))
    try session.execute(Command("SET", key, .text(loaded.value.text ?? "null"), "PX", 300_000))
    field.judgement.note { report in
      report.reads += 1
      report.fills += 1
    }
  }

  private mutating func load(_ row: Int) throws -> LoadedValue {
    let session = try loader?.get() ?? primary.get()
    let result = try session.query(RaceStatements.load(field.race, Int32(row)))[0]
    let snapshot = try DatabaseSnapshot(
      text: result.decode(1, as: String.self), isFromStandby: result.decode(2, as: Bool.self))
    // Absent where a standby has not come to the beginning of the race.
    let version = try result.decodeIfPresent(0, as: Int64.self)
    return LoadedValue(version.map { .text(String($0)) } ?? .absent, snapshot: snapshot)
  }

  /// An absent row is older than all its versions.
  private func version(_ value: CachedValue) -> Int64 {
    value.text.flatMap { Int64($0) } ?? -1
  }
}
