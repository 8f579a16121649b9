public import Postgres
internal import Primitives

/// Refreshes the planner's statistics of tables that have changed much since they were last analysed, or
/// never were. One table a chunk.
public struct AnalyzeStaleJob: Job {
  private let schema: String?
  private let threshold: Double

  /// - Parameters:
  ///   - schema: only tables of this schema, by its exact name; nil for all but the system's.
  ///   - threshold: the share of a table's rows that have changed, as autovacuum_analyze_scale_factor counts.
  public init(schema: String? = nil, threshold: Double = Self.thresholdDefault) {
    self.schema = schema
    self.threshold = threshold
  }

  /// That of autovacuum.
  public static let thresholdDefault = 0.1
  /// autovacuum_analyze_threshold: so many changes are always borne.
  private static let changesBorne = 50

  /// Makes the job again out of the options of a run; nil where they are none of this job.
  public init?(options: [String: String]) {
    guard let threshold = options["threshold"].flatMap(Double.init) else { return nil }
    self.init(schema: options["schema"], threshold: threshold)
  }

  public static let name = "analyze-stale"
  public var name: String { Self.name }

  public var options: [String: String] {
    var options = ["threshold": "\(threshold)"]
    if let schema { options["schema"] = schema }
    return options
  }

  // Sampling reads at random places: more of them at a time only wait for the disk.
  public var limits: JobLimits { JobLimits(chunkSize: 1, concurrency: 4) }

  public func prepare(_ session: Session) throws -> any PreparedJob {
    let filter = try schema.map { "and n.nspname = \(try session.quoted(literal: $0))" } ?? ""
    let relation = """
      (select n.nspname::text as schema_name, c.relname::text as table_name
       from pg_catalog.pg_class c
       join pg_catalog.pg_namespace n on n.oid = c.relnamespace
       left join pg_catalog.pg_stat_all_tables s on s.relid = c.oid
       where c.relkind in ('r', 'm', 'p') and c.relpersistence <> 't'
         and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast') \(filter)
         and (greatest(s.last_analyze, s.last_autoanalyze) is null
           or s.n_mod_since_analyze > \(Self.changesBorne) + \(threshold) * greatest(c.reltuples, 0)))
      """
    let columns = ["schema_name", "table_name"].map {
      KeySource.Column(name: $0, quoted: $0, type: "text", arrayType: .textArray)
    }
    return PreparedAnalyzeStaleJob(keys: KeySource(relation: relation, columns: columns))
  }
}

struct PreparedAnalyzeStaleJob: PreparedJob {
  let keys: KeySource

  /// An analysis reads a sample of bounded size, but on a busy disk that can take a while.
  private static let timeout = Duration.seconds(3600)

  func work(_ chunk: Chunk, _ session: Session) throws -> ChunkWork {
    var work = ChunkWork(visited: 0, affected: 0)
    for row in try session.query(keys.keys(of: chunk)) {
      let key: [String] = try row.decode(0)
      work.visited += 1
      // A table that the role does not own is passed over with a warning, and no error.
      if let warning = try analyze(key, session) {
        work.failures.append(ItemFailure(key: key, code: "analyze_skipped", message: warning))
      } else {
        work.affected += 1
      }
    }
    return work
  }

  /// - Returns: the server's warning, where there was one.
  private func analyze(_ key: [String], _ session: Session) throws -> String? {
    var warning: String?
    session.onNotice = { notice in if notice.severity == "WARNING" { warning = warning ?? notice.message } }
    defer { session.onNotice = nil }
    let name = try key.map { part in try session.quoted(identifier: part) }.joined(separator: ".")
    try session.withStatementTimeout(Self.timeout) { try session.simple("analyze \(name)") }
    return warning
  }

  func explain(_ chunk: Chunk, _ session: Session) throws -> [String] {
    // All of them: there are few, and their names are what one wants to know.
    let last = try session.query(keys.lastKey()).first.map { row throws(PostgresError) -> [String] in
      try row.decode(0)
    }
    let all = Chunk(
      run: chunk.run, number: chunk.number, first: chunk.first, last: last ?? chunk.last, rows: chunk.rows)
    return try session.query(keys.keys(of: all)).map { row in
      "analyze " + (try row.decode(0, as: [String].self)).joined(separator: ".")
    }
  }
}
