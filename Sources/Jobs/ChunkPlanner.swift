internal import Postgres
internal import Primitives

/// The bookkeeping of a run's owner: plans chunks ahead, folds in those that are done. On one session,
/// synchronously.
struct ChunkPlanner: Sendable {
  let ticket: RunTicket
  let keys: KeySource

  /// What was planned, or nil where the run is not running or has another owner: the next poll tells.
  struct Planned: Sendable {
    let chunks: [Chunk]
    /// Nothing is left to plan.
    let isComplete: Bool
  }

  /// Plans up to `count` chunks of `size` rows behind those that are planned, and records them together with
  /// how far the plan goes.
  func plan(size: Int64, count: Int64, _ session: Session) throws -> Planned? {
    try session.transaction {
      guard let row = try session.query(JobStatements.lockRun(ticket.run, ticket.attempt)).first else {
        return nil
      }
      let end: [String]? = try row.decodeIfPresent(1)
      guard let end, try !row.decode(2, as: Bool.self) else { return Planned(chunks: [], isComplete: true) }
      let after: [String]? = try row.decodeIfPresent(0)
      let limit = size * count
      let page = try session.query(keys.page(after: after, end: end, size: size, limit: limit))
      let (bounds, seen) = try Self.bounds(page, size: size)
      let inserted = try session.pipeline(
        bounds.map { JobStatements.insertChunk(ticket.run, $0.first, $0.last, $0.rows) } + [
          JobStatements.advance(ticket.run, ticket.attempt, bounds.last?.last, seen < limit)
        ])
      let chunks = try zip(bounds, inserted).map { bound, rows in
        Chunk(
          run: ticket.run, number: try rows[0].decode(0), first: bound.first, last: bound.last,
          rows: bound.rows)
      }
      return Planned(chunks: chunks, isComplete: seen < limit)
    }
  }

  private struct Bound {
    let first: [String]
    var last: [String]
    var rows: Int64
  }

  /// Puts the rows of a page together: each has its place, and chunks follow each other every `size` places.
  private static func bounds(_ page: Rows, size: Int64) throws(PostgresError) -> (
    bounds: [Bound], seen: Int64
  ) {
    var bounds: [Bound] = []
    var seen: Int64 = 0
    for row in page {
      let place: Int64 = try row.decode(0)
      let key: [String] = try row.decode(1)
      let index = Int(clamping: (place - 1) / size)
      if index < bounds.count {
        bounds[index].last = key
        bounds[index].rows = place - Int64(index) * size
      } else {
        bounds.append(Bound(first: key, last: key, rows: 1))
      }
      seen = place
    }
    return (bounds, seen)
  }

  /// Chunks that are recorded and not done, in order.
  func openChunks(_ session: Session) throws(PostgresError) -> [Chunk] {
    try session.query(JobStatements.selectOpenChunks(ticket.run)).map { row throws(PostgresError) in
      Chunk(
        run: ticket.run, number: try row.decode(0), first: try row.decode(1), last: try row.decode(2),
        rows: try row.decode(3))
    }
  }

  /// The run after folding.
  struct Folded: Sendable {
    let state: JobState
    let done: Int64
    let failed: Int64
  }

  /// Adds finished chunks to the run and takes them away, and tells how it goes.
  ///
  /// - Returns: nil where the run has another owner, or is no more.
  static func fold(
    _ ticket: RunTicket, rowsPerSecond: Double, throttle: Throttle?, _ session: Session
  ) throws(PostgresError) -> Folded? {
    let rows = try session.query(
      JobStatements.fold(ticket.run, ticket.attempt, rowsPerSecond, throttle?.code, throttle?.detail))
    guard let row = rows.first else { return nil }
    guard let state = JobState(rawValue: try row.decode(0)) else {
      throw .decoding("an unknown state of a run")
    }
    return Folded(state: state, done: try row.decode(1), failed: try row.decode(2))
  }
}
