public import Indexes
public import Migrations
public import Postgres
internal import Primitives
public import Redis
internal import WalletCache
internal import Workload

/// Gathers what the rules look at. Reads only; a check whose facts cannot be had is not judged, and the others are.
public struct CheckupReader {
  private let session: Postgres.Session
  private let cluster: ClusterReader
  private let limits: CheckupLimits

  /// The statements that are looked at, those that are called most first.
  private static let statementsMax = 2000

  /// - Parameter cluster: asks the replicas too, as an index audit does.
  public init(_ session: Postgres.Session, cluster: ClusterReader, limits: CheckupLimits = CheckupLimits()) {
    self.session = session
    self.cluster = cluster
    self.limits = limits
  }

  /// - Parameters:
  ///   - migrations: the files; nil where there are none to compare with.
  ///   - redis: opens Redis; nil where none is configured.
  ///   - settings: the configuration; whether a pooler is between is found out.
  ///   - shouldStop: asked between the parts; throws to end the work.
  /// - Throws: `PostgresError`, what `shouldStop` throws. Not for a Redis that is away.
  public func read(
    migrations: [MigrationFile]?, redis: (() throws -> any CommandRunner)?, settings: ClientSettings,
    shouldStop: () throws -> Void
  ) throws -> CheckupFacts {
    let ledger = try cluster.ledger()
    let catalog = try CatalogReader(session).read()
    let usage = try cluster.usage(of: catalog, ledger: ledger)
    try shouldStop()
    let server = try ServerReader(session: session).read()
    let plans = try AccessPathReader(session: session).read()
    try shouldStop()
    let (statements, fix) = try readStatements()
    let outbox = try known {
      let state = try OutboxState(in: session)
      return OutboxFact(pending: state.pending, oldestSeconds: state.oldestSeconds)
    }
    let state = try readMigrations(migrations)
    try shouldStop()
    let (redisFacts, warmth) = try readRedis(redis)
    var settings = settings
    settings.isPooled = try session.isShared()
    return CheckupFacts(
      server: server, catalog: catalog, audit: Audit(catalog, usage: usage).report(), plans: plans,
      migrations: state, outbox: outbox, statements: statements, statementsFix: fix, redis: redisFacts,
      isRedisConfigured: redis != nil, warmth: warmth, settings: settings)
  }

  private func readStatements() throws -> (Known<[StatementFact]>, fix: String?) {
    do {
      let found = try StatementStatistics.read(session, limit: Self.statementsMax, order: .calls)
      return (
        .known(
          found.map {
            StatementFact(
              text: $0.text, calls: $0.calls, meanMilliseconds: $0.meanMilliseconds, rows: $0.rows)
          }), nil
      )
    } catch let error as StatementStatisticsError {
      return (.unknown(error.message), try fix(for: error))
    }
  }

  private func fix(for error: StatementStatisticsError) throws -> String {
    switch error {
    case .missing(isLoaded: true): "create extension pg_stat_statements;"
    case .missing(isLoaded: false), .notLoaded:
      """
      alter system set shared_preload_libraries = 'pg_stat_statements'; -- add those that are there; restart PostgreSQL, then
      create extension if not exists pg_stat_statements;
      """
    case .outdated: "alter extension pg_stat_statements update;"
    case .hidden(let role): "grant pg_monitor to \(try session.quoted(identifier: role));"
    }
  }

  private func readMigrations(_ files: [MigrationFile]?) throws -> Known<MigrationState> {
    guard let files else { return .unknown("no migration files were found; say --dir DIR") }
    return try known {
      var state = MigrationState()
      for status in try Migrator(session: session, files: files).status() {
        let name = status.fileName ?? status.name
        switch status.state {
        case .applied: state.applied += 1
        case .pending: state.pending.append(name)
        case .changed, .missingFile, .running, .reverting: state.broken.append(name)
        }
      }
      return state
    }
  }

  private func readRedis(
    _ open: (() throws -> any CommandRunner)?
  ) throws -> (Known<RedisFacts>, Known<WarmthFacts>) {
    guard let open else { return (.unknown("none is configured"), .unknown("no Redis is configured")) }
    let users = try known {
      try session.query(DoctorStatements.activeUsers(Int64(limits.warmthSample))).map { row in
        try row.decode(0, as: Identifier.self)
      }
    }
    do {
      let runner = try open()
      defer { runner.close() }
      let reader = RedisReader(runner: runner)
      let facts = try reader.read()
      switch users {
      case .known(let users): return (.known(facts), .known(try reader.found(users)))
      case .unknown(let reason): return (.known(facts), .unknown(reason))
      }
    } catch let error as RedisError {
      return (.unknown(error.message), .unknown("Redis does not answer"))
    }
  }
}
