import Cache
import Primitives
import Redis

/// What Redis does when its memory is short: keys vanish, values and side hashes each for themselves, and the registry.
struct RaceLosses {
  private let field: RaceField
  private let pause: Duration
  private var redis: Reconnecting<any CommandRunner>

  init(_ field: RaceField, pause: Duration) {
    self.field = field
    self.pause = pause
    redis = Reconnecting(field.course.redis)
  }

  mutating func run() throws {
    defer { redis.drop()?.close() }
    while !field.isOver {
      field.dawdle(pause * 2)
      do {
        try lose()
      } catch let error as RedisError {
        field.judgement.note { $0.redisErrors += 1 }
        guard error.kind != .configuration else { throw error }
        field.dawdle(.milliseconds(20))
      }
    }
  }

  private mutating func lose() throws {
    let key = field.keys[field.randomRow()]
    let session = try redis.get()
    let losesRegistry =
      try Double.random(in: 0..<1) < field.course.registryLossRate && isSmall(session)
    let names: [String]
    switch Int.random(in: 0..<5) {
    case _ where losesRegistry: names = [field.registryKey]
    case 0, 1: names = [key.text]
    case 2, 3: names = [key.sideKey]
    default: names = [key.text, key.sideKey]
    }
    try session.execute(Command([.text("DEL")] + names.map { .text($0) }), isIdempotent: true)
    field.judgement.note { report in
      report.losses += 1
      if losesRegistry { report.registryLosses += 1 }
    }
  }

  /// Whether every server is scanned in a moment.
  private func isSmall(_ session: some CommandRunner) throws -> Bool {
    try session.nodes().allSatisfy { node in
      try node.session.execute(Command("DBSIZE"), isIdempotent: true).integer()
        < RaceCourse.registryLossKeysMax
    }
  }
}
