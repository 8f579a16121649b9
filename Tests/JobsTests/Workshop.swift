import Glibc
import Postgres
import Primitives
import TestSupport
import Testing

/// A migrated database on which the command runs jobs.
struct Workshop: Sendable {
  let database: TestDatabase

  /// Runs `ironforge job …` to its end.
  func job(
    _ arguments: String..., url: String? = nil, env: [String: String] = [:], timeout: Duration = .seconds(90)
  ) async throws -> ProgramResult {
    try await job(arguments: arguments, url: url, env: env, timeout: timeout)
  }

  /// The same with the words in an array.
  func job(
    arguments: [String], url: String? = nil, env: [String: String] = [:], timeout: Duration = .seconds(90)
  ) async throws -> ProgramResult {
    try await start(arguments, url: url, env: env).finish(timeout: timeout)
  }

  /// Starts `ironforge job …`.
  func start(
    _ arguments: [String], url: String? = nil, env: [String: String] = [:]
  ) async throws -> RunningProgram {
    var environment = env.mapValues { Optional($0) }
    environment["IRONFORGE_DATABASE_URL"] = url ?? database.url
    return try await Ironforge.start(["job"] + arguments, env: environment)
  }

  @discardableResult
  func sql(_ text: String) async throws -> [[String]] { try await database.sql(text) }

  /// Makes a table `counters` of `rows` rows, whose `n` is zero.
  func makeCounters(_ rows: Int) async throws {
    try await sql(
      """
      -- The role is called as the schema of the bookkeeping, which its search path therefore begins with.
      create table public.counters (id bigint primary key, n int not null default 0);
      insert into counters (id) select 7 * g from generate_series(1, \(rows)) g
      """)
  }

  /// The arguments of a run that counts every row of `counters` up.
  static let increment = [
    "run", "sql", "--table", "counters", "--key", "id", "--statement",
    "update counters set n = n + 1 where id = any($1)",
  ]

  /// How often rows were counted: `[["1", "500"]]` for five hundred rows once each.
  func counts() async throws -> [[String]] {
    try await sql("select n, count(*) from counters group by n order by n")
  }

  /// The newest run, once there is one.
  func latestRun() async throws -> String {
    let deadline = Deadline.after(.seconds(30))
    while true {
      if let run = try await sql("select id from ironforge.job_runs order by id desc limit 1").first?.first {
        return run
      }
      guard !deadline.hasPassed else { throw TestFailure("no run was recorded") }
      try await Task.sleep(for: .milliseconds(10))
    }
  }

  /// Waits until `condition`, a query of one boolean, is true.
  func wait(_ condition: String, timeout: Duration = .seconds(30)) async throws {
    let deadline = Deadline.after(timeout)
    while try await sql(condition) != [["t"]] {
      guard !deadline.hasPassed else { throw TestFailure("never true: \(condition)") }
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  /// Waits until the server has noticed that the owner of a run died.
  func waitUntilNobodyOwnsARun() async throws {
    try await wait(
      """
      select count(*) = 0 from pg_locks l join pg_database d on d.oid = l.database
      where l.locktype = 'advisory' and d.datname = current_database()
      """)
  }

  /// What `job status --json` says under a key.
  func status(_ key: String, _ run: String? = nil) async throws -> String? {
    let arguments = ["job", "status"] + (run.map { [$0] } ?? []) + ["--json"]
    let result = try await Ironforge.run(arguments, env: ["IRONFORGE_DATABASE_URL": database.url])
    return value(key, in: result.stdout)
  }
}

/// Lends a workshop to `body`.
func withWorkshop<R: Sendable>(
  isolation: isolated (any Actor)? = #isolation, _ body: (Workshop) async throws -> R
) async throws -> R {
  try await withDatabase(template: .migrated) { try await body(Workshop(database: $0)) }
}

/// A transaction that holds locks until it is told to end.
struct Holder: Sendable {
  private let connection: Connection

  /// Opens a transaction and runs `statement` in it.
  init(_ shop: Workshop, _ statement: String) async throws {
    connection = try await Connection.connect(to: ConnectionString(shop.database.url))
    // The closure keeps the session until the end: what it leaves open is rolled back.
    let held = connection
    let (begun, announce) = AsyncStream.makeStream(of: Void.self)
    task = Task {
      try await held.withSession { session in
        try session.simple("begin; \(statement)")
        announce.yield()
        while !Task.isCancelled { usleep(10_000) }
      }
    }
    for await _ in begun { break }
  }

  private let task: Task<Void, any Error>

  /// Ends the transaction.
  func release() async throws {
    task.cancel()
    _ = await task.result
    await connection.close()
  }
}
