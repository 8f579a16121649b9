import Primitives
import Testing

@testable import Doctor
@testable import Indexes

/// The rules as values: each fault is told as itself and as nothing else.
@Suite struct CheckupTests {
  typealias Change = @Sendable (inout CheckupFacts) -> Void

  static func session(_ change: (inout SessionFact) -> Void) -> SessionFact {
    var session = SessionFact(pid: 42)
    change(&session)
    return session
  }

  static func redis(_ facts: inout CheckupFacts, _ change: (inout RedisFacts) -> Void) {
    guard var redis = facts.redis.value else { return }
    change(&redis)
    facts.redis = .known(redis)
  }

  static func statement(_ text: String, _ calls: Int64, _ mean: Double = 1) -> StatementFact {
    StatementFact(text: text, calls: calls, meanMilliseconds: mean, rows: calls)
  }

  @Test func nothingIsWrongWithAHealthyOne() {
    let facts = CheckupFacts.healthy
    #expect(facts.faults == [])
    #expect(facts.items.map(\.check) == Check.allCases)
    let unknown = facts.items.filter { !$0.isJudged }.map(\.check)
    #expect(unknown == [.ledger])
    #expect(Set(Check.allCases.map(\.title)).count == Check.allCases.count)
  }

  static let databaseFaults: [(Check, Change)] = [
    (
      .migrations,
      {
        var state = MigrationState()
        state.pending = ["0009_more.sql"]
        $0.migrations = .known(state)
      }
    ),
    (
      .migrations,
      {
        var state = MigrationState()
        state.broken = ["0001_wallets.sql"]
        $0.migrations = .known(state)
      }
    ),
    (
      .walletIndex,
      { $0.catalog = Catalog(tables: Array($0.catalog.tables.values), indexes: [], facts: $0.catalog.facts) }
    ),
    (
      .walletIndex,
      { facts in
        let broken = facts.catalog.indexes.values.map { index in
          var index = index
          index.isValid = false
          return index
        }
        facts.catalog = Catalog(
          tables: Array(facts.catalog.tables.values), indexes: broken, facts: facts.catalog.facts)
      }
    ),
    (.planPending, { $0.plans[.planPending] = .known(path { $0.isSorted = true }) }),
    (.planAssets, { $0.plans[.planAssets] = .known(path { $0.tablesReadWhole = ["assets"] }) }),
    (.planUsers, { $0.plans[.planUsers] = .known(path { $0.tablesReadWhole = ["users"] }) }),
    (.invalidIndexes, { $0.audit.findings = [finding(.invalid, .drop)] }),
    (.foreignKeys, { $0.audit.findings = [finding(.missingForeignKeyIndex, .create)] }),
    (.unusedIndexes, { $0.audit.findings = [finding(.unused, .drop)] }),
    (.redundantIndexes, { $0.audit.findings = [finding(.duplicate, .drop)] }),
    (.bloat, { $0.audit.findings = [finding(.bloated, .rebuild)] }),
    (.sequentialScans, { $0.audit.findings = [finding(.missing, .review)] }),
    (.staleStatistics, { $0.audit.findings = [finding(.staleStatistics, .analyze)] }),
  ]

  static let clientFaults: [(Check, Change)] = [
    (.redis, { $0.redis = .unknown("Redis cannot be reached") }),
    (.redisVersion, { facts in redis(&facts) { $0.version = "6.0.16" } }),
    (.redisMemory, { facts in redis(&facts) { $0.policy = "noeviction" } }),
    (.l1Settings, { $0.settings.l1Seconds = 301 }),
    (.l1Settings, { $0.settings.l1IdleSeconds = 301 }),
    (.l1Settings, { $0.settings.warmupSeconds = 299 }),
    (.hitRate, { facts in redis(&facts) { ($0.hits, $0.misses) = (799, 201) } }),
    (.outbox, { $0.outbox = .known(OutboxFact(pending: 1, oldestSeconds: 300)) }),
    (.outbox, { $0.outbox = .known(OutboxFact(pending: 10_000, oldestSeconds: 1)) }),
    (.warmth, { $0.warmth = .known(WarmthFacts(sampled: 100, found: 79)) }),
    (.poolSize, { $0.settings.cores = 100 }),
    (.poolRoom, { $0.settings.processes = 2 }),
    (.poolRoom, { $0.server.settings.connectionsReserved = 51 }),
    (.slowStatements, { $0.statements = .known([statement("select slow", 100, 500.1)]) }),
    (
      .batching,
      {
        $0.statements = .known([
          statement("SELECT * FROM wallets WHERE id = $1", 5000),
          statement("select id, name from public.wallets w where w.id = any($1)", 5),
          statement("select id from wallets where id in ($1, $2)", 5),
        ])
      }
    ),
  ]

  static let serverFaults: [(Check, Change)] = [
    (.durability, { $0.server.settings.fsync = false }),
    (.durability, { $0.server.settings.fullPageWrites = false }),
    (.durability, { $0.server.settings.synchronousCommit = "off" }),
    (.checksums, { $0.server.settings.hasChecksums = false }),
    (.autovacuum, { $0.server.settings.isVacuuming = false }),
    (.counting, { $0.server.settings.isCounting = false }),
    (
      .statementStatistics,
      {
        $0.statements = .unknown("this database has no extension pg_stat_statements")
        $0.statementsFix = "create extension pg_stat_statements;"
      }
    ),
    (.bufferHits, { ($0.server.counters.blocksHit, $0.server.counters.blocksRead) = (949_000, 51_000) }),
    (
      .transactionIDs,
      { $0.server.ages.append(DatabaseAge(name: "o'ld", transactions: 400_000_000, multixacts: 1)) }
    ),
    (
      .multixactIDs,
      { $0.server.ages.append(DatabaseAge(name: "old", transactions: 1, multixacts: 800_000_000)) }
    ),
    (.longTransactions, { $0.server.sessions = [session { $0.transactionSeconds = 300 }] }),
    (
      .idleTransactions,
      {
        $0.server.sessions = [
          session {
            ($0.isIdle, $0.stateSeconds, $0.transactionSeconds) = (true, 10, 1000)
          }
        ]
      }
    ),
    (.preparedTransactions, { $0.server.prepared = [PreparedTransaction(id: "it's", seconds: 301)] }),
    (
      .lockWaits,
      {
        $0.server.sessions = [
          session {
            ($0.isWaitingForLock, $0.statementSeconds, $0.transactionSeconds, $0.blockers) = (
              true, 5, 900, [7]
            )
          }
        ]
      }
    ),
    (.connectionRoom, { $0.server.connections = 78 }),
    (.replicationLag, { $0.server.standbys = [StandbyFact(name: "s", bytes: 1 << 30, seconds: nil)] }),
    (.replicationLag, { $0.server.standbys = [StandbyFact(name: "s", bytes: nil, seconds: 30)] }),
    (.replicationLag, { $0.server.standbyLagSeconds = 31 }),
    (
      .replicationSlots,
      { $0.server.slots = [SlotFact(name: "s", isActive: false, bytes: 1 << 30, state: "extended")] }
    ),
    (
      .replicationSlots, { $0.server.slots = [SlotFact(name: "s", isActive: false, bytes: 0, state: "lost")] }
    ),
    (.checkpoints, { ($0.server.checkpoints.timed, $0.server.checkpoints.requested) = (9, 11) }),
    (.tempFiles, { ($0.server.counters.tempFiles, $0.server.counters.tempBytes) = (3, 10 << 30) }),
  ]

  static func path(_ change: (inout AccessPath) -> Void) -> AccessPath {
    var path = AccessPath()
    change(&path)
    return path
  }

  static func finding(_ kind: Finding.Kind, _ verdict: Finding.Verdict) -> Finding {
    Finding(
      kind, table: RelationName(schema: "public", name: "t", quoted: "public.t"), index: "i", identity: ["i"],
      verdict: verdict, reasons: [], evidence: .object([]), sizeBytes: 1, ddl: "DROP INDEX public.i;")
  }

  @Test func eachFaultIsToldAsItselfAlone() {
    for (check, change) in Self.databaseFaults + Self.clientFaults + Self.serverFaults {
      let facts = CheckupFacts.healthy.with(change)
      #expect(facts.faults == [check])
      let item = facts.items.first { $0.check == check }
      #expect(item?.fix?.text.isEmpty == false)
      #expect(item?.evidence.isEmpty == false)
    }
  }

  /// A check that no case above can make fail would be one that cannot fail.
  @Test func everyCheckCanFail() {
    let told = Set((Self.databaseFaults + Self.clientFaults + Self.serverFaults).map(\.0))
    #expect(Set(Check.allCases).subtracting(told) == [.ledger])
  }

  /// One step on the other side of each limit.
  @Test func whatIsJustBorneIsNoFault() {
    let borne: [Change] = [
      { $0.outbox = .known(OutboxFact(pending: 9_999, oldestSeconds: 299)) },
      { $0.server.sessions = [Self.session { ($0.isIdle, $0.stateSeconds) = (true, 9.9) }] },
      { $0.server.sessions = [Self.session { $0.transactionSeconds = 299 }] },
      { $0.server.sessions = [Self.session { ($0.isWaitingForLock, $0.statementSeconds) = (true, 4.9) }] },
      { $0.server.connections = 77 },
      { $0.server.slots = [SlotFact(name: "s", isActive: false, bytes: 1000, state: "reserved")] },
      {
        $0.statements = .known([Self.statement("select slow", 99, 5000), Self.statement("select", 100, 500)])
      },
      { $0.settings.cores = 24 },
      { facts in Self.redis(&facts) { ($0.policy, $0.memoryUsed) = ("noeviction", 799) } },
      { facts in Self.redis(&facts) { ($0.policy, $0.memoryMax) = ("noeviction", 0) } },
    ]
    for change in borne { #expect(CheckupFacts.healthy.with(change).faults == []) }
  }

  /// A single read without a batched form of it may be all that is wanted, and one of two columns is no lookup.
  @Test func rowsThatAreReadAloneAreNoFault() {
    for other in [
      "select * from wallets where id = any($1) and status = $2", "select * from users where id = any($1)",
      "select * from wallets where user_id = any($1)", "delete from wallets where id = any($1)",
      "this is no SQL",
    ] {
      let facts = CheckupFacts.healthy.with {
        $0.statements = .known([
          Self.statement("select * from wallets where id = $1", 1_000_000), Self.statement(other, 1),
        ])
      }
      #expect(facts.faults == [])
    }
  }

  @Test func whatIsNotKnownIsNotJudged() {
    let facts = CheckupFacts.healthy.with {
      $0.server.seesActivity = false
      $0.server.isLocal = false
      $0.server.counters.seconds = nil
      $0.statements = .unknown("hidden")
      $0.migrations = .unknown("no files")
      $0.outbox = .unknown("no table")
      $0.isRedisConfigured = false
      $0.redis = .unknown("none")
      $0.plans = [:]
      $0.settings.isPooled = true
    }
    #expect(facts.faults == [])
    let unknown = Set(facts.items.filter { !$0.isJudged }.map(\.check))
    #expect(
      unknown == [
        .migrations, .planPending, .planAssets, .planUsers, .redis, .redisVersion, .redisMemory, .hitRate,
        .outbox, .warmth, .poolSize, .poolRoom, .slowStatements, .batching, .ledger, .statementStatistics,
        .longTransactions, .idleTransactions, .lockWaits, .replicationLag, .tempFiles,
      ])
    let evidence = facts.items.filter { !$0.isJudged }.map(\.evidence)
    #expect(evidence.allSatisfy { $0.hasPrefix("not judged: ") && $0.count > 15 })
  }

  /// Numbers from outside may be anything.
  @Test func extremeNumbersAreBorne() {
    for number in [Int64.min, -1, 0, 1, Int64.max] {
      let facts = CheckupFacts.healthy.with {
        $0.server.settings.connectionsMax = number
        $0.server.settings.freezeAge = number
        $0.server.settings.walBytesMax = number
        $0.server.settings.bufferBytes = number
        $0.server.settings.workBytes = number
        $0.server.connections = number
        $0.server.counters.blocksRead = number
        $0.server.counters.tempBytes = number
        $0.server.counters.seconds = .nan
        $0.server.checkpoints.timed = number
        $0.server.checkpoints.requested = number
        $0.server.ages = [DatabaseAge(name: "d", transactions: number, multixacts: number)]
        $0.server.slots = [SlotFact(name: "s", isActive: true, bytes: number, state: "")]
        $0.server.sessions = [Self.session { ($0.isIdle, $0.stateSeconds) = (true, .infinity) }]
        $0.settings.connectionsMax = Int(clamping: number)
        $0.settings.processes = Int(clamping: max(1, number))
        $0.settings.cores = Int(clamping: number)
        $0.outbox = .known(OutboxFact(pending: number, oldestSeconds: .nan))
        $0.statements = .known([Self.statement("select * from a where b = $1", number, .infinity)])
        Self.redis(&$0) {
          ($0.hits, $0.misses, $0.memoryUsed, $0.memoryMax) = (number, number, number, number)
        }
      }
      #expect(facts.items.count == Check.allCases.count)
    }
  }

  @Test func namesAreQuotedInWhatIsToBeRun() {
    let facts = CheckupFacts.healthy.with {
      $0.server.ages = [DatabaseAge(name: "o'ld", transactions: 1 << 30, multixacts: 0)]
      $0.server.prepared = [PreparedTransaction(id: "it's", seconds: 301)]
    }
    let fixes = facts.items.compactMap { $0.fix?.text }
    #expect(fixes == ["vacuumdb --freeze --jobs 2 --dbname 'o'\\''ld'", "rollback prepared 'it''s';"])
  }

  @Test func infoOfRedisIsReadWhateverItHolds() {
    let facts = RedisReader.facts(
      "# Server\r\nredis_version:7.2.1\r\nused_memory:-5\r\nmaxmemory:99999999999999999999\r\nmaxmemory_policy:allkeys-lfu\r\nodd\r\n:\r\n"
    )
    #expect(facts.version == "7.2.1" && facts.policy == "allkeys-lfu")
    #expect(facts.memoryUsed == 0 && facts.memoryMax == 0)
  }
}
