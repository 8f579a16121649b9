import Primitives
public import Redis
import Synchronization

/// Fills L2 from the database, in constant memory, however many rows there are.
///
/// Several lanes work at the same time, each with a connection of its own to Redis. They take turns at the database; while one
/// reads, the others write:
///
/// ```
/// lane 1   watch · read rows ─┐ encode · write ······ watch · read rows ─┐ encode · write
/// lane 2                      └ watch · read rows ─┐ encode · write ·····└ watch · read …
/// ```
///
/// At most one chunk a lane is in memory. Each is written the fast way, and by leases what was being written or loaded by
/// somebody meanwhile (``FencedStore``); what is refused again and again is left to its next reader.
public final class Warmup: Sendable {
  private let plan: WarmupPlan
  private let store: FencedStore
  private let keys: KeySpace
  private let shouldStop: @Sendable () -> Bool
  private let turn: Mutex<Turn>
  private let tally = Mutex(WarmupTally())
  private let failure = Mutex<(any Error)?>(nil)

  /// What the lanes share. `@unchecked Sendable`: it is touched under `turn` alone.
  private struct Turn: @unchecked Sendable {
    let source: any WarmSource
    var isOver = false
    /// When the next rows may be read, by `rate`.
    var due: Int64 = 0
  }

  /// Attempts at a chunk, and the longest pause between them: a restart of a server is bridged, an outage is for the caller
  /// to know soon.
  private static let attemptsMax = 6
  private static let pauseMax = Duration.seconds(2)
  /// Attempts by leases, each in a newer snapshot, and the first pause between them, which triples: together longer than a chunk
  /// of a batch of transfers. The first attempt tells keys without a history which transactions to wait for, and those are
  /// over at one of the next.
  private static let leasedAttempts = 4
  private static let leasedPause = Duration.milliseconds(50)
  /// How long the transactions are waited for that run when a server is vouched for.
  private static let settlingMax = Duration.seconds(5)

  /// - Parameters:
  ///   - keys: those of the source.
  ///   - source: not to be used by anybody else meanwhile.
  ///   - shouldStop: asked before each chunk; the chunks under way are finished.
  public init(
    _ plan: WarmupPlan, store: FencedStore, keys: KeySpace, source: sending any WarmSource,
    shouldStop: @escaping @Sendable () -> Bool
  ) {
    self.plan = plan
    self.store = store
    self.keys = keys
    self.shouldStop = shouldStop
    turn = Mutex(Turn(source: source))
  }

  /// What has been done so far.
  public var progress: WarmupTally { tally.withLock { $0 } }

  /// Runs one lane for each connection, until no rows are left or the work shall stop.
  ///
  /// - Parameter onProgress: called after each chunk, by any lane.
  /// - Throws: the failure that ended it: `RedisError`, what the source throws.
  public func run(
    _ connections: [Connection], onProgress: @escaping @Sendable (WarmupTally) -> Void
  ) async throws {
    try await withThrowingTaskGroup(of: Void.self) { lanes in
      for connection in connections {
        lanes.addTask {
          try await connection.withSession { [self] runner in try runLane(runner, onProgress) }
        }
      }
      for try await _ in lanes {}
    }
  }

  // MARK: A lane

  private func runLane(_ runner: any CommandRunner, _ onProgress: (WarmupTally) -> Void) throws {
    let servers = TrustedServers(keys)
    do {
      while let sum = try warmNext(runner, servers) {
        onProgress(
          tally.withLock { tally in
            tally.add(sum)
            return tally
          })
      }
    } catch {
      failure.withLock { $0 = $0 ?? error }
      throw error
    }
  }

  private var mustEnd: Bool { shouldStop() || failure.withLock { $0 != nil } }

  /// Reads a part and writes it; nil when there is nothing more to do.
  private func warmNext(_ runner: any CommandRunner, _ servers: TrustedServers) throws -> WarmupTally? {
    var attempts = Attempts()
    while !mustEnd {
      var part: WarmPart?
      var outcome: WarmOutcome?
      do {
        // A cluster has no transaction over its nodes.
        if let session = runner as? Session, !plan.isDryRun {
          outcome = try store.warm(timeToLive: plan.timeToLive, trusting: servers, in: session) {
            part = try takeTurn()
            return part?.chunk ?? .empty
          }
        } else {
          part = try takeTurn()
        }
      } catch {
        try recover(from: error, &attempts)
      }
      if outcome == .untrusted {
        try establish(servers, runner, &attempts)
      } else if let part {
        var sum = WarmupTally()
        sum.scanned = part.chunk.texts.count
        sum.lookedAt = part.lookedAt
        try finish(part.chunk, outcome, runner, servers, &sum, &attempts)
        return sum
      } else if outcome != nil || turn.withLock(\.isOver) {
        return nil
      }
    }
    return nil
  }

  /// Reads the next rows once it is this lane's turn and they are due; nil at the end.
  private func takeTurn() throws -> WarmPart? {
    try turn.withLock { turn in
      pace(until: turn.due)
      if turn.isOver || mustEnd { return nil }
      guard let part = try turn.source.next(rowsMax: rowsMax) else {
        turn.isOver = true
        return nil
      }
      if let rate = plan.rate {
        let start = max(turn.due, monotonicNanoseconds())
        turn.due = start + Int64(Double(part.chunk.texts.count) / Double(rate) * 1e9)
      }
      return part
    }
  }

  /// With a rate, chunks are small enough to come every tenth of a second.
  private var rowsMax: Int { plan.rate.map { min(plan.rowsMax, max(1, $0 / 10)) } ?? plan.rowsMax }

  /// Does with a part what the fast way has not done. Nil as its outcome: it was not tried, or failed on the way.
  private func finish(
    _ chunk: WarmChunk, _ outcome: WarmOutcome?, _ runner: any CommandRunner, _ servers: TrustedServers,
    _ sum: inout WarmupTally, _ attempts: inout Attempts
  ) throws {
    if plan.isDryRun { return try compare(chunk, runner, &sum) }
    if case .done(let counts) = outcome {
      sum.add(counts)
      if counts.refused.isEmpty { return }
      return try warm(counts.refused, runner, servers, &sum, &attempts)
    }
    if chunk.texts.isEmpty { return }
    try warm(chunk.texts.map { try CacheKey($0.key) }, runner, servers, &sum, &attempts)
  }

  /// Writes keys by leases, reading their rows anew.
  private func warm(
    _ keys: [CacheKey], _ runner: any CommandRunner, _ servers: TrustedServers, _ sum: inout WarmupTally,
    _ attempts: inout Attempts
  ) throws {
    var open = keys
    var leasedAttempts = 0
    var leasedPause = Self.leasedPause
    while true {
      do {
        let outcome = try store.warm(open, timeToLive: plan.timeToLive, trusting: servers, in: runner) {
          try turn.withLock { try $0.source.rows(open) }
        }
        guard case .done(let counts) = outcome else {
          try establish(servers, runner, &attempts)
          continue
        }
        sum.add(counts)
        open = counts.refused
        leasedAttempts += 1
      } catch {
        try recover(from: error, &attempts)
        continue
      }
      if open.isEmpty || leasedAttempts >= Self.leasedAttempts || mustEnd { break }
      pace(until: monotonicNanoseconds() + leasedPause.wholeNanoseconds)
      leasedPause *= 3
    }
    sum.refused += open.count
  }

  /// What a run would write.
  private func compare(_ chunk: WarmChunk, _ runner: any CommandRunner, _ sum: inout WarmupTally) throws {
    let entries = try store.peek(try chunk.texts.map { try CacheKey($0.key) }, in: runner)
    for (row, entry) in zip(chunk.texts, entries) {
      if entry.value == .text(row.text) { sum.fresh += 1 } else { sum.written += 1 }
      sum.bytes += row.valueBytes.count
    }
  }

  // MARK: Trouble

  private struct Attempts {
    var count = 1
    var pause = Duration.milliseconds(50)
  }

  /// Pauses before the next attempt; throws the error where there is none.
  private func recover(from error: any Error, _ attempts: inout Attempts) throws {
    // What a lost connection may have written can be written again.
    let failure = error as? any Failure
    let isPassing = failure.map { $0.isRetryable || $0.kind == .unreachable } ?? false
    guard isPassing, attempts.count < Self.attemptsMax, !mustEnd else { throw error }
    attempts.count += 1
    pace(until: monotonicNanoseconds() + attempts.pause.wholeNanoseconds)
    attempts.pause = min(attempts.pause * 3, Self.pauseMax)
  }

  /// Vouches for the servers, one lane at a time.
  private func establish(
    _ servers: TrustedServers, _ runner: any CommandRunner, _ attempts: inout Attempts
  ) throws {
    do {
      let isTrusted = try turn.withLock { turn in
        var horizon: Horizon?
        let isTrusted = try store.establish(servers, in: runner) {
          let fresh = try turn.source.horizon()
          horizon = fresh
          return fresh
        }
        if let horizon { try settle(horizon, turn.source) }
        return isTrusted
      }
      // Counted too: one that is lost again and again must come to an end.
      attempts.count += 1
      if isTrusted, attempts.count <= Self.attemptsMax { return }
      throw servers.refusal ?? Self.unsteady
    } catch {
      try recover(from: error, &attempts)
    }
  }

  private static let unsteady = SimpleFailure(
    .unreachable, code: "redis_unsteady",
    message: "Redis was replaced or lost its keys again and again while they were being written",
    hint: "look at its log, and run this again once it is steady", isRetryable: true)

  /// Waits for the transactions that fence at a horizon: until they are over nothing is accepted. Not for long ones.
  private func settle(_ horizon: Horizon, _ source: any WarmSource) throws {
    let deadline = Deadline.after(Self.settlingMax)
    while !deadline.hasPassed, !mustEnd, try !horizon.isSeen(by: source.snapshot()) {
      pace(until: monotonicNanoseconds() + Self.leasedPause.wholeNanoseconds)
    }
  }

  /// Sleeps until a moment, or until the work shall end.
  private func pace(until moment: Int64) {
    struct Ended: Error {}
    let wait = moment - monotonicNanoseconds()
    guard wait > 0 else { return }
    do {
      try pause(for: .nanoseconds(wait)) { if mustEnd { throw Ended() } }
    } catch {
      // Whoever asked for the pause looks at `mustEnd` next.
      return
    }
  }
}

extension WarmChunk {
  /// At the end there is nothing to store; no snapshot is asked for it.
  fileprivate static let empty = WarmChunk(KeyedTexts(), snapshot: .nothing)
}
