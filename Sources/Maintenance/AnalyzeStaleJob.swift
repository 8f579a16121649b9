internal import Indexes
public import Jobs
public import Postgres
internal import Primitives

/// Refreshes the planner's statistics of the tables that the audit calls stale, and of small ones that were never analysed.
/// One table a chunk.
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

  /// That of autovacuum, and of the audit.
  public static let thresholdDefault = Thresholds().changedShare

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
  public var isRepeatable: Bool { true }

  public func prepare(_ session: Session) throws -> any PreparedJob {
    let catalog = try CatalogReader(session).read(bloatBytes: .max)
    var thresholds = Thresholds()
    thresholds.changedShare = threshold
    let tables = try TableAnalysis(session).checked(
      TableAnalysis.plan(catalog, staleOnly: true, thresholds: thresholds) { name in
        schema.map { $0 == name.schema } ?? true
      })
    return PreparedAnalyzeStaleJob(
      keys: try NameList.keys(tables.map(\.name), as: "table_name", session), tables: tables)
  }
}

struct PreparedAnalyzeStaleJob: PreparedJob {
  let keys: KeySource
  let tables: [PlannedAnalysis]
  var item: ItemNoun { ItemNoun("table", "tables") }

  func work(_ chunk: Chunk, _ session: Session) throws -> ChunkWork {
    var work = ChunkWork(visited: 0, affected: 0)
    for row in try session.query(keys.keys(of: chunk)) {
      let key: [String] = try row.decode(0)
      work.visited += 1
      if tables.contains(where: { !$0.isAllowed && [$0.name.schema, $0.name.name] == key }) {
        work.failures.append(
          ItemFailure(key: key, code: PlannedAnalysis.refusalCode, message: PlannedAnalysis.refusal))
        continue
      }
      // A right that was lost since then is no error of the server, but a warning.
      let name = try key.map { part in try session.quoted(identifier: part) }.joined(separator: ".")
      if let warning = try TableAnalysis(session).analyze(quoted: name) {
        work.failures.append(ItemFailure(key: key, code: "analyze_skipped", message: warning))
      } else {
        work.affected += 1
      }
    }
    return work
  }

  /// All of them: there are few, and their names are what one wants to know.
  func explain(_ chunk: Chunk, _ session: Session) throws -> [String] {
    tables.sorted { $0.name < $1.name }.map { table in
      table.isAllowed
        ? "analyze \(table.name)" + (table.reason.map { "  -- \($0.sentence)" } ?? "")
        : "-- not \(table.name): \(PlannedAnalysis.refusal)"
    }
  }
}
