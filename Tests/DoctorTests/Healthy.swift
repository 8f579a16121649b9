import Primitives

@testable import Doctor
@testable import Indexes

extension CheckupFacts {
  /// A backend of which everything is known, and nothing is wrong.
  static var healthy: CheckupFacts {
    var transactions = Table(
      oid: 1, name: RelationName(schema: "public", name: "transactions", quoted: "public.transactions"))
    for (number, column) in ["wallet_id", "status", "created_at"].enumerated() {
      transactions.columns[Int16(number + 1)] = Column(name: column, quoted: column)
    }
    transactions.rows = 100
    var index = Index(
      oid: 2, table: 1,
      name: RelationName(
        schema: "public", name: "idx_tx_wallet_status_time", quoted: "public.idx_tx_wallet_status_time"),
      keys: [1, 2, 3].map { IndexKey(column: $0) })
    index.usage.scans = 1
    var path = AccessPath()
    path.indexes = ["an_index"]
    let now = Timestamp(microseconds: 1_790_000_000_000_000)
    let catalog = Catalog(
      tables: [transactions], indexes: [index],
      facts: StatisticsFacts(
        now: now, since: Timestamp(microseconds: now.microseconds - 100 * 86_400 * 1_000_000)))
    var migrations = MigrationState()
    migrations.applied = 8
    var redis = RedisFacts()
    (redis.version, redis.policy, redis.memoryMax, redis.memoryUsed) = ("7.0.15", "allkeys-lru", 1000, 990)
    (redis.hits, redis.misses) = (8000, 2000)
    var server = ServerFacts()
    server.isLocal = true
    server.ages = [DatabaseAge(name: "postgres", transactions: 1000, multixacts: 10)]
    (server.counters.blocksHit, server.counters.blocksRead) = (99_000_000, 1_000_000)
    server.counters.seconds = 36_000
    (server.checkpoints.timed, server.checkpoints.requested) = (100, 10)
    return CheckupFacts(
      server: server, catalog: catalog, audit: Audit(catalog).report(),
      plans: [.planPending: .known(path), .planAssets: .known(path), .planUsers: .known(path)],
      migrations: .known(migrations), outbox: .known(OutboxFact(pending: 0, oldestSeconds: nil)),
      statements: .known([]), statementsFix: nil, redis: .known(redis), isRedisConfigured: true,
      warmth: .known(WarmthFacts(sampled: 100, found: 80)), settings: ClientSettings())
  }

  /// With one thing changed.
  func with(_ change: (inout CheckupFacts) -> Void) -> CheckupFacts {
    var facts = self
    change(&facts)
    return facts
  }

  var items: [CheckupItem] { Checkup(self).items() }
  var faults: [Check] { items.filter { !$0.isOK }.map(\.check) }
}
