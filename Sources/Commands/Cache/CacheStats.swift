import ArgumentParser
import Cache
import Configuration
import Glibc
import Postgres
import Primitives
import Redis
import WalletCache

/// `ironforge cache stats`.
struct CacheStats: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "stats",
    abstract: "Show hit rates against the target, and what waits in the outbox.",
    discussion: """
      redis counts the lookups of all programs since Redis started, those of fences included; ironforge counts what \
      its own processes asked of each tier, since Redis was last empty. The target is targets.cache_hit_rate, held \
      against L2. A server that is away or unwilling is told as a warning, and its figures are missing.

      EXIT CODES: 0, whatever the target; 69 a server is away; 77 it refuses; 130 and 143 --watch was stopped.

      EXAMPLES:
        ironforge cache stats
        ironforge cache stats --json
        ironforge cache stats --watch
      """)

  @Flag(help: "Again every second, until Ctrl-C.")
  var watch = false

  @OptionGroup(title: "Global options") var global: GlobalOptions

  func run(in context: CommandContext) throws {
    var desk = StatsDesk(context)
    if !watch {
      try context.output.render(try desk.report(warning: false))
      if let failure = desk.failure { throw failure }
      return
    }
    let registration = try context.signals.onStop {}
    defer { withExtendedLifetime(registration) {} }
    let isInPlace = context.output.format == .text && isatty(STDOUT_FILENO) == 1
    var linesBefore = 0
    while true {
      let report = try desk.report(warning: linesBefore == 0)
      if isInPlace {
        try context.output.render(InPlace(text: report.text, linesBefore: linesBefore))
        linesBefore = report.text.split(separator: "\n", omittingEmptySubsequences: false).count
      } else if context.output.format == .text {
        try context.output.render(InPlace(text: report.line, linesBefore: 0))
        linesBefore = 1
      } else {
        try context.output.render(report)
        linesBefore = 1
      }
      try context.output.flush()
      try pause(for: .seconds(1), check: context.signals.check)
    }
  }
}

/// Asks both servers, and goes on without one that is away or refuses.
struct StatsDesk {
  private let context: CommandContext
  private var redis: (any CommandRunner)?
  private var database: Postgres.Session?
  /// The last failure of either.
  private(set) var failure: (any Failure)?

  init(_ context: CommandContext) {
    self.context = context
  }

  /// - Throws: what is no matter of a server that is away.
  mutating func report(warning: Bool) throws -> CacheStatsReport {
    failure = nil
    let target = try context.configuration().values.targets.cacheHitRate
    let counts = try attempt(warning) { desk in
      if desk.redis == nil { desk.redis = try desk.context.openRedis() }
      guard let redis = desk.redis else { return nil as (RedisHits, CacheCounters.Counts)? }
      return (try RedisHits(in: redis), try CacheCounters.total(in: redis))
    }
    let outbox = try attempt(warning) { desk in
      if desk.database?.isOpen != true { desk.database = try desk.context.openSession() }
      return try desk.database.map { try OutboxState(in: $0) }
    }
    return CacheStatsReport(hits: counts?.0, counts: counts?.1, outbox: outbox, target: target)
  }

  private mutating func attempt<T>(_ warning: Bool, _ body: (inout StatsDesk) throws -> T?) throws -> T? {
    do {
      return try body(&self)
    } catch let error as any Failure where error is RedisError || error is PostgresError {
      failure = error
      if warning { context.messages.warning(error.message, fields: [("code", .string(error.code))]) }
      return nil
    }
  }
}

/// Text in the place of what was printed before.
private struct InPlace: Renderable {
  let text: String
  init(text: String, linesBefore: Int) {
    // Up to the first line, and everything below away (ECMA-48: CUU, ED).
    self.text = linesBefore == 0 ? text : "\u{1B}[\(linesBefore)A\u{1B}[J" + text
  }
  var json: JSON { .null }
  var csv: (header: [String], rows: [[String]]) { ([], []) }
}

/// Hits and misses of one tier.
struct HitCount {
  let hits: Int64
  let misses: Int64

  /// Nil before anything was asked.
  var rate: Double? { requests > 0 ? Double(hits) / requests : nil }
  /// Numbers out of Redis may be anything: no `Int64` holds the sum of any two.
  var requests: Double { Double(hits) + Double(misses) }

  var json: JSON {
    [
      "hits": .integer(hits), "misses": .integer(misses),
      "hit_rate": rate.map { .number(($0 * 1e4).rounded() / 1e4) } ?? .null,
    ]
  }

  var percent: String { rate.map { "\(($0 * 1000).rounded() / 10) %" } ?? "" }
}

/// What `cache stats` prints (SPEC section 9).
struct CacheStatsReport: Renderable {
  private let redis: HitCount?
  private let l1: HitCount?
  private let l2: HitCount?
  private let outbox: OutboxState?
  private let target: Double

  init(hits: RedisHits?, counts: CacheCounters.Counts?, outbox: OutboxState?, target: Double) {
    redis = hits.map { HitCount(hits: $0.hits, misses: $0.misses) }
    l1 = counts.map { HitCount(hits: $0.l1Hits, misses: $0.l1Misses) }
    l2 = counts.map { HitCount(hits: $0.l2Hits, misses: $0.l2Misses) }
    self.outbox = outbox
    self.target = target
  }

  private var isMet: Bool? { l2?.rate.map { $0 >= target } }

  var json: JSON {
    [
      "redis": redis?.json ?? .null,
      "ironforge": ["l1": l1?.json ?? .null, "l2": l2?.json ?? .null],
      "outbox": outbox.map {
        [
          "pending": .integer($0.pending),
          "oldest_seconds": $0.oldestSeconds.map { .number(($0 * 1000).rounded() / 1000) } ?? .null,
        ]
      } ?? .null,
      "target": [
        "name": "cache_hit_rate", "target": .number(target), "value": l2?.json["hit_rate"] ?? .null,
        "ok": isMet.map(JSON.bool) ?? .null,
      ],
    ]
  }

  private var rows: [(name: String, count: HitCount?)] {
    [("redis", redis), ("ironforge l1", l1), ("ironforge l2", l2)]
  }

  private var verdict: String {
    let wanted = "\((target * 1000).rounded() / 10) %"
    guard l2 != nil else { return "target \(wanted): unknown" }
    return switch isMet {
    case nil: "target \(wanted): nothing was asked of L2 yet"
    case true?: "target \(wanted): met"
    case false?: "target \(wanted): MISSED"
    }
  }

  private var waiting: String {
    guard let outbox else { return "outbox: unknown" }
    guard outbox.pending > 0 else { return "outbox: empty" }
    let age = outbox.oldestSeconds.map { ", the oldest for \(humanDuration(.seconds($0)))" } ?? ""
    let waits = outbox.pending == 1 ? "1 write waits" : "\(outbox.pending) writes wait"
    return "outbox: \(waits)\(age): until it is drained, values may be stale"
  }

  var text: String {
    table(
      ["tier", .number("hits"), .number("misses"), .number("hit_rate")],
      rows.map { name, count in
        [
          name, count.map { String($0.hits) } ?? "unknown", count.map { String($0.misses) } ?? "",
          count?.percent ?? "",
        ]
      }) + "\n\(verdict)\n\(waiting)"
  }

  /// For `--watch` where nothing can be refreshed in place.
  var line: String {
    rows.map { name, count in "\(name) \(count.map { "\($0.hits) hits, \($0.misses) misses" } ?? "unknown")" }
      .joined(separator: "  ") + "  \(verdict)  \(waiting)"
  }

  var csv: (header: [String], rows: [[String]]) {
    let header = ["tier", "hits", "misses", "hit_rate"]
    return (
      header,
      rows.map { name, count in
        [name] + header.dropFirst().map { count?.json[$0]?.plainText ?? "" }
      }
    )
  }
}
