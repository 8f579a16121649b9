/// The checklist (SEED row 27): what is looked at, in the order in which it is told. The raw value is the stable id.
public enum Check: String, Sendable, CaseIterable {
  case migrations
  case walletIndex = "wallet_index"
  case planPending = "plan_pending_transactions"
  case planAssets = "plan_wallet_assets"
  case planUsers = "plan_active_users"
  case invalidIndexes = "invalid_indexes"
  case foreignKeys = "foreign_key_indexes"
  case unusedIndexes = "unused_indexes"
  case redundantIndexes = "redundant_indexes"
  case bloat = "bloated_indexes"
  case sequentialScans = "sequential_scans"
  case staleStatistics = "stale_statistics"

  case redis = "redis_reachable"
  case redisVersion = "redis_version"
  case redisMemory = "redis_memory"
  case l1Settings = "l1_settings"
  case hitRate = "cache_hit_rate"
  case outbox = "cache_outbox"
  case warmth = "cache_warmth"

  case poolSize = "pool_size"
  case poolRoom = "pool_headroom"
  case slowStatements = "slow_statements"
  case batching = "batching"
  case ledger = "ledger_verified"

  case durability
  case checksums
  case autovacuum
  case counting = "track_counts"
  case statementStatistics = "statement_statistics"
  case bufferHits = "buffer_hit_rate"
  case transactionIDs = "transaction_id_age"
  case multixactIDs = "multixact_id_age"
  case longTransactions = "long_transactions"
  case idleTransactions = "idle_in_transaction"
  case preparedTransactions = "prepared_transactions"
  case lockWaits = "lock_waits"
  case connectionRoom = "connection_headroom"
  case replicationLag = "replication_lag"
  case replicationSlots = "replication_slots"
  case checkpoints
  case tempFiles = "temp_files"

  /// What a check is about, as `--only` names it.
  public enum Area: String, Sendable, CaseIterable {
    case database, cache, application, server
  }

  public var area: Area {
    switch self {
    case .migrations, .walletIndex, .planPending, .planAssets, .planUsers, .invalidIndexes, .foreignKeys,
      .unusedIndexes, .redundantIndexes, .bloat, .sequentialScans, .staleStatistics:
      .database
    case .redis, .redisVersion, .redisMemory, .l1Settings, .hitRate, .outbox, .warmth: .cache
    case .poolSize, .poolRoom, .slowStatements, .batching, .ledger: .application
    case .durability, .checksums, .autovacuum, .counting, .statementStatistics, .bufferHits, .transactionIDs,
      .multixactIDs, .longTransactions, .idleTransactions, .preparedTransactions, .lockWaits, .connectionRoom,
      .replicationLag, .replicationSlots, .checkpoints, .tempFiles:
      .server
    }
  }

  public var title: String {
    switch self {
    case .migrations: "Migrations"
    case .walletIndex: "Composite index (wallet_id, status, created_at DESC)"
    case .planPending: "Plan of a wallet's pending transactions"
    case .planAssets: "Plan of the assets of many wallets"
    case .planUsers: "Plan of the users of seven days"
    case .invalidIndexes: "Invalid indexes"
    case .foreignKeys: "Indexes of foreign keys"
    case .unusedIndexes: "Unused indexes"
    case .redundantIndexes: "Redundant indexes"
    case .bloat: "Bloated indexes"
    case .sequentialScans: "Big tables read whole"
    case .staleStatistics: "Planner statistics"
    case .redis: "Redis"
    case .redisVersion: "Version of Redis"
    case .redisMemory: "Memory of Redis"
    case .l1Settings: "Settings of both tiers"
    case .hitRate: "Hit rate of L2"
    case .outbox: "Invalidations that wait in the outbox"
    case .warmth: "Warmth"
    case .poolSize: "Size of the pool"
    case .poolRoom: "Room for all pools"
    case .slowStatements: "Slow statements"
    case .batching: "Batched reads"
    case .ledger: "Laws of the ledger"
    case .durability: "Durable commits"
    case .checksums: "Page checksums"
    case .autovacuum: "Autovacuum"
    case .counting: "Usage counters"
    case .statementStatistics: "pg_stat_statements"
    case .bufferHits: "Hit rate of shared_buffers"
    case .transactionIDs: "Age of transaction ids"
    case .multixactIDs: "Age of multixact ids"
    case .longTransactions: "Long transactions"
    case .idleTransactions: "Sessions idle in a transaction"
    case .preparedTransactions: "Prepared transactions"
    case .lockWaits: "Lock waits"
    case .connectionRoom: "Connections of the server"
    case .replicationLag: "Replication lag"
    case .replicationSlots: "Replication slots"
    case .checkpoints: "Checkpoints"
    case .tempFiles: "Temporary files"
    }
  }

  func good(_ evidence: String, _ figures: CheckupItem.Figure...) -> CheckupItem {
    CheckupItem(check: self, verdict: .good, evidence: evidence, figures: figures)
  }

  func fault(_ evidence: String, _ fix: Fix, _ figures: CheckupItem.Figure...) -> CheckupItem {
    CheckupItem(check: self, verdict: .fault(fix), evidence: evidence, figures: figures)
  }

  func notJudged(_ reason: String, _ figures: CheckupItem.Figure...) -> CheckupItem {
    CheckupItem(check: self, verdict: .notJudged, evidence: "not judged: \(reason)", figures: figures)
  }
}
