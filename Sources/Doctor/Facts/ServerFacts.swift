/// Settings of the server, and what it counts.
public struct ServerFacts: Sendable {
  public var database = ""
  public var settings = ServerSettings()
  public var isStandby = false
  /// Whether the role may see what other roles' sessions do.
  public var seesActivity = true
  /// Whether the server runs on this machine, as far as the address tells.
  public var isLocal = false
  /// Client connections of all databases.
  public var connections: Int64 = 0
  public var counters = DatabaseCounters()
  public var ages: [DatabaseAge] = []
  /// Those of this database that are in a transaction: what they hold up is in this database.
  public var sessions: [SessionFact] = []
  public var prepared: [PreparedTransaction] = []
  public var standbys: [StandbyFact] = []
  public var slots: [SlotFact] = []
  /// How far this standby is behind; nil on a primary.
  public var standbyLagSeconds: Double?
  public var checkpoints = CheckpointCounters()

  public init() {}
}

public struct ServerSettings: Sendable {
  public var connectionsMax: Int64 = 100
  /// For superusers, and from PostgreSQL 16 on for `pg_use_reserved_connections`.
  public var connectionsReserved: Int64 = 3
  public var isVacuuming = true
  public var isCounting = true
  public var isTimingInputOutput = false
  public var fsync = true
  public var fullPageWrites = true
  public var synchronousCommit = "on"
  public var hasChecksums = true
  public var freezeAge: Int64 = 200_000_000
  public var multixactFreezeAge: Int64 = 400_000_000
  public var walBytesMax: Int64 = 1 << 30
  public var bufferBytes: Int64 = 128 << 20
  public var workBytes: Int64 = 4 << 20

  public init() {}
}

/// `pg_stat_database` of the database.
public struct DatabaseCounters: Sendable {
  public var blocksHit: Int64 = 0
  public var blocksRead: Int64 = 0
  public var tempFiles: Int64 = 0
  public var tempBytes: Int64 = 0
  /// For how long they have been counting; nil where nobody knows.
  public var seconds: Double?

  public init() {}
}

public struct DatabaseAge: Sendable {
  public let name: String
  /// Transactions since the oldest row that is not frozen, and multixacts.
  public let transactions: Int64
  public let multixacts: Int64

  public init(name: String, transactions: Int64, multixacts: Int64) {
    self.name = name
    self.transactions = transactions
    self.multixacts = multixacts
  }
}

/// A session that is in a transaction.
public struct SessionFact: Sendable {
  public var pid: Int32
  public var application = ""
  public var user = ""
  public var isIdle = false
  public var isWaitingForLock = false
  /// Since the transaction, the state and the statement began.
  public var transactionSeconds = 0.0
  public var stateSeconds = 0.0
  public var statementSeconds = 0.0
  /// Who holds what it waits for; 0 is a prepared transaction.
  public var blockers: [Int32] = []

  public init(pid: Int32) { self.pid = pid }

  var name: String {
    "pid \(pid)" + (application.isEmpty ? "" : " (\(application))") + (user.isEmpty ? "" : " of \(user)")
  }
}

public struct PreparedTransaction: Sendable {
  public let id: String
  public let seconds: Double

  public init(id: String, seconds: Double) {
    self.id = id
    self.seconds = seconds
  }
}

/// Who streams from this server.
public struct StandbyFact: Sendable {
  public let name: String
  public let bytes: Int64?
  public let seconds: Double?

  public init(name: String, bytes: Int64?, seconds: Double?) {
    self.name = name
    self.bytes = bytes
    self.seconds = seconds
  }
}

public struct SlotFact: Sendable {
  public let name: String
  public let isActive: Bool
  /// WAL that may not be removed because of it.
  public let bytes: Int64
  /// `reserved`, `extended`, `unreserved`, `lost`; empty where it holds nothing.
  public let state: String

  public init(name: String, isActive: Bool, bytes: Int64, state: String) {
    self.name = name
    self.isActive = isActive
    self.bytes = bytes
    self.state = state
  }
}

public struct CheckpointCounters: Sendable {
  public var timed: Int64 = 0
  public var requested: Int64 = 0

  public init() {}
}
