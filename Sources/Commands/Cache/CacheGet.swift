import ArgumentParser
import Cache
import Postgres
import Primitives
import Redis
import Synchronization
import WalletCache

/// `ironforge cache get`.
struct CacheGet: ConcurrentCommand {
  static let configuration = CommandConfiguration(
    commandName: "get",
    abstract: "Read a user or a wallet through the cache.",
    discussion: """
      Reads as a service would: Redis first, then the database, and fills Redis. Says which tier answered, how old the \
      value is and how long it will live on. While Redis is away the database answers, and a warning says so.

      The age is not known of most values that a warmup wrote.

      With --watch it reads again every second, as a service does that runs for long: out of its own memory (tier l1), \
      which follows what changes in Redis and is never more than 1.5 seconds behind a write.

      With --from-replica the row is loaded from the first of database.replicas that can be reached. It may lag: what it \
      has not seen is shown as it has it, and not put into Redis.

      EXIT CODES: 0; 4 there is no such row; 64 the key is no key; 69 the database is away, and Redis has no answer; \
      78 --from-replica: none is configured, or it is no standby; 130 and 143 --watch was stopped.

      EXAMPLES:
        ironforge cache get user:01a205f0-2c1b-7a6e-8a07-9d1f4d1fb8c1
        ironforge cache get wallet:01a205f0-2c1b-7a6e-8a07-9d1f4d1fb8c1 --json
        ironforge cache get wallet:01a205f0-2c1b-7a6e-8a07-9d1f4d1fb8c1 --watch
      """)

  @ArgumentParser.Argument(help: "user:ID or wallet:ID.")
  var key: String

  @Flag(help: "Again every second, until Ctrl-C.")
  var watch = false

  @Flag(help: "Load from a replica instead of the primary.")
  var fromReplica = false

  @OptionGroup(title: "Global options") var global: GlobalOptions

  func runConcurrently(in context: CommandContext) async throws {
    let row = try CachedRow(argument: key)
    guard watch else {
      let view = try await read(row, through: try await reader(nil, context), context)
      try context.output.render(view)
      if view.value == .absent { throw row.notFound }
      return
    }
    let registration = try context.signals.onStop {}
    defer { withExtendedLifetime(registration) {} }
    let follower = try context.followedL1()
    defer { follower.tracker.stop() }
    let reader = try await reader(follower.l1, context)
    while true {
      try context.output.render(try await read(row, through: reader, context))
      try context.output.flush()
      for _ in 0..<10 {
        try context.signals.check()
        try await Task.sleep(for: .milliseconds(100))
      }
    }
  }

  /// What a row is read through.
  private struct Reader {
    let cache: TieredCache
    let store: FencedStore
    let connection: Redis.Connection
    let l1: L1Cache?
    /// Connects to where rows are loaded from, if not from the primary.
    let replica: (@Sendable () throws -> Postgres.Session)?
  }

  private func reader(_ l1: L1Cache?, _ context: CommandContext) async throws -> Reader {
    let replica = fromReplica ? try context.replicaConnector() : nil
    let store = try context.fencedStore()
    let connection = try context.redisConnections(1)[0]
    let cache = TieredCache(
      l1: l1, store: store, redis: connection, servers: TrustedServers(CachedTable.keys)
    ) {
      try context.openSession().fenceHorizon()
    }
    await warn("the database answers", context) {
      if try await !cache.vouch() {
        context.messages.warning(
          "Redis is not trusted, so the database answers: its user may not say INFO, or it is being replaced")
      }
    }
    return Reader(cache: cache, store: store, connection: connection, l1: l1, replica: replica)
  }

  private func read(
    _ row: CachedRow, through reader: Reader, _ context: CommandContext
  ) async throws -> CacheEntryView {
    let (cache, store, connection) = (reader.cache, reader.store, reader.connection)
    let replica = reader.replica
    let isLoaded = Mutex(false)
    let hitsBefore = reader.l1?.statistics.hits
    let value = try await cache.value(of: row.key) {
      isLoaded.withLock { $0 = true }
      return try RowReader(replica?() ?? context.openSession(), isReplica: replica != nil).load(row)
    }
    let isRemembered = reader.l1?.statistics.hits != hitsBefore
    let tier: CacheTier = isLoaded.withLock { $0 } ? .database : isRemembered ? .l1 : .l2
    var view = CacheEntryView(row: row, value: value, tier: tier)
    if !cache.isBypassingRedis {
      await warn("its age and life are not known", context) {
        let entry = try await connection.withSession { try store.peek([row.key], in: $0) }.first
        if entry?.isForeign == true {
          context.messages.warning(
            "\(row.key) holds something else than a value; another program has written it")
        }
        if let entry, entry.value == value { view.note(entry, age: store.age(of: entry, at: .now())) }
        try await connection.withSession { try cache.counters.publish(to: $0) }
      }
    }
    return view
  }

  /// Trouble with Redis is told once, and is no reason to fail.
  private func warn(
    _ consequence: String, _ context: CommandContext, _ body: () async throws -> Void
  ) async {
    do {
      try await body()
    } catch {
      let report = ErrorReport(error)
      context.messages.warning(
        "\(report.message); \(consequence)", fields: [("code", .string(report.code))])
    }
  }
}

extension CachedRow {
  /// Reads a key as it is typed.
  ///
  /// - Throws: `cache_key_invalid`.
  init(argument text: String) throws(SimpleFailure) {
    guard let row = CachedRow(key: text.lowercased()) else {
      throw SimpleFailure(
        .usage, code: "cache_key_invalid", message: "\"\(text)\" is no key of a cached row",
        hint: "keys are user:ID and wallet:ID; `ironforge user show` and `ironforge wallet show` tell ids")
    }
    self = row
  }
}

extension CachedRow {
  /// There is no such row.
  fileprivate var notFound: SimpleFailure {
    let noun = table.keyPrefix
    return SimpleFailure(
      .refused, code: "\(noun)_not_found", message: "there is no \(noun) \(id)",
      hint: "see `ironforge \(noun) list`")
  }
}

/// A value with where it came from.
struct CacheEntryView: Renderable {
  let row: CachedRow
  let value: CachedValue
  let tier: CacheTier
  private(set) var ageMilliseconds: Int64?
  private(set) var timeLeft: Duration?

  init(row: CachedRow, value: CachedValue, tier: CacheTier) {
    self.row = row
    self.value = value
    self.tier = tier
  }

  /// What Redis knows of the value now.
  mutating func note(_ entry: StoredEntry, age: Int64?) {
    ageMilliseconds = age
    timeLeft = entry.timeLeft
  }

  /// The value as it was written, number by number.
  private var document: JSON {
    guard case .text(let text) = value else { return .null }
    do {
      return try JSON(parsing: Array(text.utf8))
    } catch {
      // Another program has put something else there: shown as it is.
      return .string(text)
    }
  }

  var json: JSON {
    [
      "key": .string(row.key.text), "tier": .string(tier.rawValue),
      "age_ms": ageMilliseconds.map(JSON.integer) ?? .null,
      "ttl_ms": timeLeft.map { .integer(Int64($0.settingMilliseconds)) } ?? .null, "value": document,
    ]
  }

  var text: String {
    let lines = [
      ("key", row.key.text), ("tier", tier.rawValue),
      ("age", ageMilliseconds.map { humanDuration(.milliseconds($0)) } ?? "unknown"),
      ("ttl", timeLeft.map(humanDuration) ?? "none"),
      ("value", value == .absent ? "there is no such row" : document.description),
    ]
    return lines.map { padded($0.0, to: 5) + "  " + terminalSafe($0.1) }.joined(separator: "\n")
  }

  var csv: (header: [String], rows: [[String]]) {
    let keys = ["key", "tier", "age_ms", "ttl_ms", "value"]
    return (keys, [keys.map { json[$0]?.plainText ?? "" }])
  }
}
