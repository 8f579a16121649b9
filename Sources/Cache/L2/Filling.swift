import Primitives
public import Redis

/// What became of a fill.
public enum FillOutcome: Sendable, Hashable {
  case stored
  /// The lease ran out, or a write has taken it away.
  case leaseLost
  /// A write has fenced the key that the load did not see, or may have.
  case fenced
}

/// A value out of the database with the snapshot that it was read in, both of one statement.
public struct LoadedValue: Sendable, Hashable {
  /// The row as text, or its absence.
  public let value: CachedValue
  /// What the statement saw.
  public let snapshot: DatabaseSnapshot

  /// What one statement returned.
  public init(_ value: CachedValue, snapshot: DatabaseSnapshot) {
    self.value = value
    self.snapshot = snapshot
  }
}

extension FencedStore {
  /// What the script says of one key.
  enum Filled: Int64 {
    case fenced = -1
    case leaseLost, stored, storedBefore
  }

  /// Stores a loaded value, if the lease still stands and the load saw every write that has fenced the key.
  ///
  /// - Parameter timeToLive: instead of the settings'; before jitter.
  /// - Throws: `RedisError`.
  @discardableResult
  public func fill(
    _ loaded: LoadedValue, under lease: FillLease, timeToLive: Duration? = nil, in runner: some CommandRunner
  ) throws -> FillOutcome {
    // Sent again after a lost reply it would find no lease and do no harm.
    let history = lease.registry?.history(for: loaded.snapshot, fencesMax: settings.fencesMax)
    let value = storing(lease.key, loaded.value, timeToLive: timeToLive)
    let command = filling([value][...], loaded.snapshot, history, token: lease.token)
    switch try outcomes(runner.execute(command), count: 1)[0] {
    case .stored, .storedBefore: return .stored
    case .leaseLost: return .leaseLost
    case .fenced: return .fenced
    }
  }

  /// A value as it goes into Redis.
  struct Storing {
    var key: CacheKey
    var text: Argument
    var milliseconds: Argument
  }

  func storing(_ key: CacheKey, _ value: CachedValue, timeToLive: Duration?) -> Storing {
    switch value {
    case .text(let json):
      Storing(key: key, text: .text(json), milliseconds: jittered(timeToLive ?? settings.timeToLive))
    case .absent:
      Storing(key: key, text: "null", milliseconds: jittered(settings.absenceTimeToLive))
    }
  }

  func jittered(_ life: Duration) -> Argument {
    milliseconds(life * (1 + settings.jitter * .random(in: -1...1)))
  }

  func filling(
    _ values: ArraySlice<Storing>, _ snapshot: DatabaseSnapshot, _ history: History?, token: String
  ) -> Command {
    let unseen = history.map { $0.unseen.map(\.description).joined(separator: ",") } ?? ""
    return Command(
      FenceScripts.fill, keys: pairs(values.map(\.key)),
      arguments: [
        .text(token), .text(snapshot.oldestRunning.description), .text(snapshot.firstUnborn.description),
        .text(snapshot.runningList), .integer(snapshot.isFromStandby ? 1 : 0), .integer(settings.fencesMax),
        milliseconds(settings.fenceLife), .text(history?.floor.description ?? ""),
        .text(history?.since?.description ?? ""), .text(unseen),
      ] + values.flatMap { [$0.text, $0.milliseconds] })
  }

  func outcomes(_ reply: Reply, count: Int) throws -> [Filled] {
    let outcomes = try (reply.array() ?? []).map { element in
      let number = try element.integer()
      guard let outcome = Filled(rawValue: number) else {
        throw RedisError.unexpectedReply(expected: "-1 to 2", got: String(number))
      }
      return outcome
    }
    guard outcomes.count == count else {
      throw RedisError.unexpectedReply(expected: "\(count) elements", got: "\(outcomes.count)")
    }
    return outcomes
  }
}
