import Cache
import Primitives
import Redis

/// What Redis does when its memory is short: keys vanish, values and side hashes each for themselves, and the registry.
struct RaceLosses {
  private let field: RaceField
  private let pause: Duration
  private var redis: Reconnecting<any CommandRunner>

  /// Losses of a key to one of the registry.
  private static let keysPerRegistry = 200

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
    let names: [String]
    switch Int.random(in: 0..<Self.keysPerRegistry) {
    case 0 where field.course.losesRegistry: names = [field.registryKey]
    case 0..<80: names = [key.text]
    case 80..<160: names = [key.sideKey]
    default: names = [key.text, key.sideKey]
    }
    try redis.get().execute(Command([.text("DEL")] + names.map { .text($0) }), isIdempotent: true)
    field.judgement.note { $0.losses += 1 }
  }
}
