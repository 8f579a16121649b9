internal import Postgres
internal import Primitives

/// What a run would do.
public struct JobPlan: Sendable {
  public let job: String
  public let options: [String: String]
  public let keyColumns: [String]
  /// What a key stands for.
  public let item: ItemNoun
  public let rows: Int64
  /// Whether the rows were counted, not estimated.
  public let isExact: Bool
  public let chunkSize: Int
  public let chunks: Int64
  public let concurrency: Int
  /// The first key of all; nil where there are no rows.
  public let firstKey: [String]?
  public let lastKey: [String]?
  /// What the job says of its work, line by line.
  public let details: [String]
  /// The run that would go on, or whose end would be told, instead of a new one; nil for a new one.
  public let open: JobRun?

  init(
    _ job: any Job, _ prepared: any PreparedJob, _ settings: RunSettings, open: JobRun?, _ session: Session
  ) throws {
    self.job = job.name
    self.open = open
    options = job.options
    let keys = prepared.keys
    keyColumns = keys.columns.map(\.name)
    item = prepared.item
    let size = try RunSize(keys, session)
    (rows, isExact, lastKey) = (size.rows, size.isExact, size.lastKey)
    chunkSize = settings.chunkSize
    concurrency = settings.concurrency
    let chunkRows = Int64(settings.chunkSize)
    chunks = size.rows / chunkRows + (size.rows % chunkRows == 0 ? 0 : 1)
    guard let end = size.lastKey else {
      (firstKey, details) = (nil, [])
      return
    }
    (firstKey, details) = try session.transaction(.snapshot) {
      let page = try session.query(keys.page(after: nil, end: end, size: chunkRows, limit: chunkRows))
      guard let first = page.first, let last = page.last else { return (nil, []) }
      let chunk = Chunk(
        run: Identifier(high: 0, low: 0), number: 0, first: try first.decode(1), last: try last.decode(1),
        rows: try last.decode(0))
      return (chunk.first, try prepared.explain(chunk, session))
    }
  }
}
