import Primitives
public import Redis

/// Rows with the snapshot that they were read in.
public struct WarmChunk: Sendable {
  /// Keys and values, each key once.
  public let texts: KeyedTexts
  /// What the read saw.
  public let snapshot: DatabaseSnapshot

  /// What one read returned.
  public init(_ texts: KeyedTexts, snapshot: DatabaseSnapshot) {
    self.texts = texts
    self.snapshot = snapshot
  }
}

/// What became of the rows of a chunk.
public struct WarmCounts: Sendable, Hashable {
  /// Values that were new or other than before.
  public var written = 0
  /// Values that were there already; they live anew.
  public var fresh = 0
  /// Keys of rows that could not be stored: written meanwhile, or being loaded by somebody else. To be tried again with a
  /// newer snapshot.
  public var refused: [CacheKey] = []
  /// Bytes of the values that were stored, the fresh ones included.
  public var bytes = 0
}

/// What became of a chunk.
public enum WarmOutcome: Sendable, Hashable {
  case done(WarmCounts)
  /// Something was fenced, and nothing stored: the keys have to go by ``FencedStore/warm(_:timeToLive:trusting:in:load:)``.
  case overtaken
  /// See ``FencedStore/establish(_:in:isWanted:horizon:)``.
  case untrusted
}

/// Filling many keys at once.
extension FencedStore {
  /// Stores a chunk, if nothing at all was fenced since before it was read and the read saw all that was fenced before: the
  /// fast way, while few write. Every fence changes the registry, which is watched, and EXEC then refuses.
  ///
  /// - Parameters:
  ///   - timeToLive: instead of the settings'; before jitter.
  ///   - load: reads the chunk; its snapshot must be taken after this is called. It must not use `session`.
  /// - Throws: `RedisError`, after which part of the chunk may be stored; what `load` throws.
  public func warm(
    timeToLive: Duration? = nil, trusting servers: TrustedServers, in session: Session,
    load: () throws -> WarmChunk
  ) throws -> WarmOutcome {
    guard try servers.verify(registryKey, in: session) else { return .untrusted }
    return try session.pinned {
      // What an earlier window left watched, because its load failed, is none of this one's business.
      let opening = try session.pipeline([
        Command("UNWATCH"), Command("WATCH", .text(registryKey)), Command("HGETALL", .text(registryKey)),
      ])
      for reply in opening { _ = try reply.get() }
      let registry = try Registry(opening[2])
      guard try servers.confirms(registry, for: [], in: session) else { return .untrusted }
      let chunk = try load()
      guard registry.isSeen(by: chunk.snapshot) else { return .overtaken }
      return try store(chunk, timeToLive ?? settings.timeToLive, session)
    }
  }

  /// MULTI, a SET for each row, EXEC.
  private func store(_ chunk: WarmChunk, _ life: Duration, _ session: Session) throws -> WarmOutcome {
    guard !chunk.texts.isEmpty else { return .done(WarmCounts()) }
    var last = Reply.null
    try session.run(transaction(chunk.texts, life)) { _, reply in
      // A command that was not queued makes EXEC fail, and its own error says why.
      last = try reply.get()
    }
    guard let replies = try last.array() else { return .overtaken }
    guard replies.count == chunk.texts.count else {
      throw RedisError.unexpectedReply(expected: "\(chunk.texts.count) elements", got: "\(replies.count)")
    }
    var counts = WarmCounts()
    for (row, reply) in zip(chunk.texts, replies) {
      // Something else than a string stands there.
      if case .error = reply {
        counts.refused.append(try CacheKey(row.key))
      } else if case .string(let old) = reply {
        counts.note(row, isFresh: row.valueBytes.elementsEqual(old))
      } else {
        counts.note(row, isFresh: false)
      }
    }
    return .done(counts)
  }

  private func transaction(_ texts: KeyedTexts, _ life: Duration) -> CommandBuffer {
    var random = RapidRandom()
    let milliseconds = Double(life.wholeNanoseconds) / 1e6
    var buffer = CommandBuffer(capacity: texts.size + 80 * texts.count)
    buffer.begin(words: 1)
    buffer.append("MULTI")
    for row in texts {
      buffer.begin(words: 6)
      buffer.append("SET")
      buffer.append(row.keyBytes)
      buffer.append(row.valueBytes)
      buffer.append("PX")
      let share = 1 + settings.jitter * Double.random(in: -1...1, using: &random)
      buffer.append(max(1, Int(milliseconds * share)))
      buffer.append("GET")
    }
    buffer.begin(words: 1)
    buffer.append("EXEC")
    return buffer
  }

  /// Stores rows under leases: the way while others write, and in a cluster. A key that is refused because some transaction
  /// may have fenced it is accepted as soon as that one is over.
  ///
  /// - Parameters:
  ///   - keys: each once.
  ///   - timeToLive: instead of the settings'; before jitter.
  ///   - load: reads the rows of the keys; its snapshot must be taken after this is called. Rows of other keys are left out.
  /// - Throws: `RedisError`, after which part of the chunk may be stored; what `load` throws.
  public func warm(
    _ keys: [CacheKey], timeToLive: Duration? = nil, trusting servers: TrustedServers,
    in runner: some CommandRunner, load: () throws -> WarmChunk
  ) throws -> WarmOutcome {
    for key in keys where try !servers.verify(key.text, in: runner) { return .untrusted }
    let token = newToken()
    var isGranted = try lease(keys, token, in: runner)
    guard let registry = try servers.registry(for: keys.lazy.map(\.text), in: runner) else {
      try release(Array(isGranted), token, in: runner)
      return .untrusted
    }
    let chunk: WarmChunk
    do {
      chunk = try load()
    } catch {
      // What the load failed of counts; leases that cannot be given back end soon.
      _ = Result { try release(Array(isGranted), token, in: runner) }
      throw error
    }
    let rows = try chunk.texts.map { (key: try CacheKey($0.key), row: $0) }
      .filter { isGranted.remove($0.key) != nil }
    var counts = WarmCounts()
    counts.refused = Set(keys).subtracting(rows.map(\.key)).subtracting(isGranted).sorted {
      $0.text < $1.text
    }
    // Granted, and gone from the database since.
    if !isGranted.isEmpty { try release(Array(isGranted), token, in: runner) }
    let history = registry.history(for: chunk.snapshot, fencesMax: settings.fencesMax)
    let life = timeToLive ?? settings.timeToLive
    let groups = groups(rows, by: \.key, in: runner)
    let commands = groups.lazy.map { rows in
      let values = rows.map { row in
        Storing(key: row.key, text: .bytes(Array(row.row.valueBytes)), milliseconds: jittered(life))
      }
      return filling(values[...], chunk.snapshot, history, token: token)
    }
    try runner.pipeline(commands) { index, reply in
      let rows = groups[index]
      for (row, outcome) in zip(rows, try outcomes(reply, count: rows.count)) {
        switch outcome {
        case .stored, .storedBefore: counts.note(row.row, isFresh: outcome == .storedBefore)
        case .leaseLost, .fenced: counts.refused.append(row.key)
        }
      }
    }
    return .done(counts)
  }

  private func lease(_ keys: [CacheKey], _ token: String, in runner: some CommandRunner) throws -> Set<
    CacheKey
  > {
    let groups = groups(keys, by: \.self, in: runner)
    var granted: Set<CacheKey> = []
    try runner.pipeline(groups.lazy.map { leasing($0, token) }) { index, reply in
      for (key, grant) in zip(groups[index], try reply.array() ?? []) where try grant.integer() != 0 {
        granted.insert(key)
      }
    }
    return granted
  }
}

extension WarmCounts {
  fileprivate mutating func note(_ row: KeyedTexts.Element, isFresh: Bool) {
    if isFresh { fresh += 1 } else { written += 1 }
    bytes += row.valueBytes.count
  }
}

/// Random numbers for jitter; the system's own would cost a call of the kernel a key. SplitMix64 (Steele, Lea, Flood,
/// "Fast Splittable Pseudorandom Number Generators", 2014), seeded by the system.
struct RapidRandom: RandomNumberGenerator {
  private var state = UInt64.random(in: .min ... .max)

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
