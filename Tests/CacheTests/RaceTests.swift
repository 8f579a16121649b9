import CacheRace
import Migrations
import Postgres
import Primitives
import Redis
import Synchronization
import TestSupport
import Testing

/// The one PostgreSQL of all races, and of nothing else: while a transaction lasts that is older than the moment at which a
/// Redis was vouched for, nothing is filled, and on the server of the other tests some always last.
private actor RaceServer {
  static let shared = RaceServer()

  private var starting: Task<PrivatePostgres, any Error>?

  func get() async throws -> PrivatePostgres {
    if let starting { return try await starting.value }
    let task = Task {
      let server = try await PrivatePostgres()
      let session = try Postgres.Session(connecting: ConnectionString(server.url))
      defer { session.close() }
      let files = try MigrationDirectory(path: Repository.path("migrations")).files()
      try Migrator(session: session, files: files).up()
      return server
    }
    starting = task
    return try await task.value
  }
}

@Suite(.timeLimit(.minutes(3))) struct RaceTests {
  /// A race that lasts until it has found enough, however slow the machine is.
  private func course(_ database: String, _ server: PrivateRedis) throws -> RaceCourse {
    let target = try ConnectionString(database)
    let endpoint = try Endpoint(url: server.url)
    return Self.lasting(
      RaceCourse(
        duration: .seconds(40), database: { try Postgres.Session(connecting: target) },
        redis: { try Redis.Session(connecting: endpoint) }))
  }

  private static func lasting(_ course: RaceCourse) -> RaceCourse {
    let earliest = Deadline.after(.seconds(2))
    var course = course
    course.shouldStop = { report in
      earliest.hasPassed && (isEnough(report) || report.stale > 150)
    }
    return course
  }

  /// What a race must have done for its verdict to mean anything.
  private static func isEnough(_ report: RaceReport) -> Bool {
    report.hits > 100 && report.fills > 40 && report.writes > 40 && report.refusals > 0 && report.deaths > 0
  }

  private func expectSound(_ report: RaceReport) {
    #expect(report.stale == 0, "\(report.staleReads)")
    let isEnough = Self.isEnough(report)
    #expect(isEnough, "\(report)")
  }

  @Test func keysThatVanishAndWritersThatDieMakeNothingStale() async throws {
    let database = try await RaceServer.shared.get()
    try await withRedis { server in
      let session = try Redis.Session(connecting: Endpoint(url: server.url))
      // Another program's, and what a race has left.
      try session.execute("SET", "race:results", "x")
      try session.execute("SET", "race:01a205f0-2c1b-7a6e-8a07-9d1f4d1fb8c1-7", "1")
      let report = try await Race(course(database.url, server)).run()
      expectSound(report)
      #expect(report.leftBehind == nil)
      #expect(report.losses > 20 && report.redisErrors == 0)
      let left = try session.execute("KEYS", "*").array()?.compactMap { try $0.text() }
      #expect(left == ["race:results"])
    }
  }

  /// Each loss of the registry makes every reader scan Redis.
  @Test(arguments: [true, false])
  func theRegistryOfALargeRedisIsNotLost(isLarge: Bool) async throws {
    let database = try await RaceServer.shared.get()
    try await withRedis { server in
      if isLarge {
        try Redis.Session(connecting: Endpoint(url: server.url)).execute(
          "EVAL", "for n = 1, 100000 do redis.call('SET', n, '') end", 0)
      }
      var course = try course(database.url, server)
      course.registryLossRate = 1
      course.shouldStop = { $0.losses > 20 }
      let report = try await Race(course).run()
      #expect(report.losses > 20 && report.stale == 0)
      #expect(report.registryLosses == (isLarge ? 0 : report.losses))
    }
  }

  /// The control: the same race finds what there is to be found.
  @Test func withoutFencesItFindsStaleReadsByTheHundred() async throws {
    let database = try await RaceServer.shared.get()
    try await withRedis { server in
      var course = try course(database.url, server)
      course.scheme = .deleteAfterCommit
      course.shouldStop = { $0.stale > 150 }
      let report = try await Race(course).run()
      #expect(report.stale > 100, "\(report)")
      #expect(report.staleReads.count == 10)
    }
  }

  /// What may become of Redis during a race.
  enum Trouble: String, CaseIterable { case flush, crash, crashWithDump }

  @Test(arguments: Trouble.allCases)
  func aRedisThatForgetsMakesNothingStale(trouble: Trouble) async throws {
    let database = try await RaceServer.shared.get()
    try await withRedis { server in
      let isOver = Mutex(false)
      var course = try course(database.url, server)
      course.registryLossRate = 0
      course.shouldStop = { report in isOver.withLock { $0 } && Self.isEnough(report) }
      let race = Race(course)
      async let running = race.run()
      for _ in 0..<3 {
        try await Task.sleep(for: .milliseconds(600))
        try await inflict(trouble, server)
      }
      try await Task.sleep(for: .milliseconds(600))
      isOver.withLock { $0 = true }
      let report = try await running
      expectSound(report)
      // Whoever reads has noticed each time.
      #expect(report.establishments >= 4, "\(report)")
    }
  }

  private func inflict(_ trouble: Trouble, _ server: PrivateRedis) async throws {
    let session = try Redis.Session(connecting: Endpoint(url: server.url))
    switch trouble {
    case .flush: try session.execute("FLUSHALL")
    case .crash: try await server.crash()
    case .crashWithDump:
      #expect(try session.execute("DBSIZE").integer() > 2)
      try session.execute("SAVE")
      // What is in the dump becomes old.
      try await Task.sleep(for: .milliseconds(400))
      try await server.crash()
    }
  }

  @Test(arguments: [RaceCourse.Scheme.fences, .deleteAfterCommit])
  func loadsFromAStandbyThatLags(scheme: RaceCourse.Scheme) async throws {
    let server = try await RaceServer.shared.get()
    try await withStandby(of: server, settings: ["recovery_min_apply_delay = '40ms'"]) { standby in
      let redis = try await PrivateRedis()
      var course = try course(server.url, redis)
      course.scheme = scheme
      if scheme == .deleteAfterCommit { course.shouldStop = { $0.stale > 150 } }
      let target = try ConnectionString(standby.url(database: "ironforge"))
      course.standby = { try Postgres.Session(connecting: target) }
      let report = try await Race(course).run()
      switch scheme {
      case .fences: expectSound(report)
      case .deleteAfterCommit: #expect(report.stale > 100, "\(report)")
      }
      #expect(report.hasStandby)
      try await redis.destroy()
    }
  }

  /// The master with the registry dies, and its replica may not have heard of the latest fences.
  @Test func aClusterThatFailsOverMakesNothingStale() async throws {
    let database = try await RaceServer.shared.get()
    try await withRedisCluster(nodeTimeout: .seconds(2)) { servers in
      let slot = try servers.cluster().slot(of: "fence:{ironforge-race}") ?? 0
      let victim = try #require(try servers.owner(of: slot))
      // The first three are masters.
      let witness = (victim + 1) % 3
      let target = try ConnectionString(database.url)
      let seed = try servers.endpoint(witness)
      let isOver = Mutex(false)
      var course = RaceCourse(
        duration: .seconds(60), database: { try Postgres.Session(connecting: target) },
        redis: { try ClusterSession(connecting: seed, commandTimeout: .seconds(4)) })
      course.registryLossRate = 0
      course.shouldStop = { report in isOver.withLock { $0 } && Self.isEnough(report) }
      let race = Race(course)
      async let running = race.run()
      try await Task.sleep(for: .milliseconds(1500))
      servers.kill(victim)
      let deadline = Deadline.after(.seconds(30))
      while try servers.owner(of: slot, witness: witness) == victim, !deadline.hasPassed {
        try await Task.sleep(for: .milliseconds(100))
      }
      try await Task.sleep(for: .seconds(2))
      isOver.withLock { $0 = true }
      let report = try await running
      expectSound(report)
      // At first the masters, then the new one.
      #expect(report.establishments >= 2, "\(report)")
    }
  }
}
