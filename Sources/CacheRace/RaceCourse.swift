public import Postgres
import Primitives
public import Redis

/// Where a race runs, and how it is run.
public struct RaceCourse: Sendable {
  /// How readers and writers go about the cache.
  public enum Scheme: Sendable {
    /// As IronForge does.
    case fences
    /// As is usual: delete after COMMIT, fill with whatever was read. The control that shows that the race finds what there is
    /// to be found; for tests.
    case deleteAfterCommit
  }

  /// Connects to the primary database.
  public var database: @Sendable () throws -> Postgres.Session
  /// Connects to a standby, from which half of the readers then load; nil where there is none.
  public var standby: (@Sendable () throws -> Postgres.Session)?
  /// Connects to Redis.
  public var redis: @Sendable () throws -> any CommandRunner
  /// How long it lasts.
  public var duration: Duration
  /// Whether it shall end before that, by what it has found so far.
  public var shouldStop: @Sendable (RaceReport) -> Bool = { _ in false }
  /// Fences, but for the control.
  public var scheme = Scheme.fences
  public var readers = 8
  public var writers = 4
  /// Rows, of which the first are written most.
  public var rows = 24
  /// The share of writers that die after COMMIT, and of those that die before it.
  public var deathRate = 0.05
  /// The pause between two losses of a key by Redis; nil for none.
  public var lossPause: Duration? = .milliseconds(4)
  /// The share of losses that take the registry; what follows is a scan of the whole database.
  public var registryLossRate = 0.005
  /// The most keys of a server of Redis with which the registry is lost: beyond, readers would scan rather than race.
  public static let registryLossKeysMax = 100_000

  /// A race with the defaults, without a standby.
  public init(
    duration: Duration, database: @escaping @Sendable () throws -> Postgres.Session,
    redis: @escaping @Sendable () throws -> any CommandRunner
  ) {
    self.duration = duration
    self.database = database
    self.redis = redis
  }
}

/// A value out of L2 that was older than a write acknowledged before it was asked for.
public struct StaleRead: Sendable, Hashable {
  public let key: String
  /// The version that Redis gave.
  public let served: Int64
  /// The version that was committed before the read began.
  public let committed: Int64
}

/// What a race found.
public struct RaceReport: Sendable, Hashable {
  /// How long it lasted, in seconds.
  public var seconds = 0.0
  /// Reads that came to an end.
  public var reads = 0
  /// Those that L2 answered; only these can be stale.
  public var hits = 0
  /// Loads that were stored, and those that were refused.
  public var fills = 0
  public var refusals = 0
  /// Transactions that committed.
  public var writes = 0
  /// Writers that died, before or after COMMIT.
  public var deaths = 0
  /// Keys and registries that Redis lost.
  public var losses = 0
  /// How many of them were registries.
  public var registryLosses = 0
  /// Times that somebody vouched for the server.
  public var establishments = 0
  /// Calls of Redis that failed.
  public var redisErrors = 0
  /// Reads that were served what they must not.
  public var stale = 0
  /// The first few of them.
  public var staleReads: [StaleRead] = []
  /// Why rows and keys of the race may be left; nil as a rule. Rows are removed by a later race, keys end by themselves.
  public var leftBehind: String?
  /// Whether a standby took part.
  public var hasStandby = false

  static let staleReadsMax = 10
}
