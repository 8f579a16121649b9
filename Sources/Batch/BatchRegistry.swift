public import Postgres
internal import Primitives

/// The record of batches that were begun, `ironforge.batches`.
///
/// It answers one question: was a row that is stored already carried out by an earlier run that was cut short, or
/// one that is under way at the same time? Then it is told as `created`, as that run would have told it; a row of a
/// batch that was finished before is told as `exists`. So `kill -9` and the same command again, and the same file from
/// several processes at once, come to the same outcome file.
///
/// A *round* begins when a batch is run that nobody runs, and ends when a run has told all its outcomes. Runs that
/// find a round open, or that had begun when it ended, belong to it. What was stored since the round began, was stored
/// by it.
public struct BatchRegistry {
  let session: Session

  /// A batch as it is to be recorded.
  struct Batch {
    let digest: SHA256.Digest
    let keyPrefix: String
    let path: String?
    let rows: Int
  }

  /// Another batch that was begun under the same path and never finished.
  struct Abandoned {
    let digest: String
    let startedAt: Timestamp
  }

  /// When this process began, by the server's clock. A statement of its own, which waits for no lock: a run that waits for a
  /// batch's row has begun before it waits.
  func processStart() throws(PostgresError) -> Timestamp {
    let rows = try session.query(Self.processStart(Int64(processAge().settingMilliseconds)))
    guard let row = rows.first else { throw .misuse("the server told no time") }
    return try row.decode(0)
  }

  /// Joins the round that is open, or begins one.
  ///
  /// - Parameters:
  ///   - processStart: see `processStart()`.
  ///   - startedAt: when a round began that is recorded only now; nil for now.
  /// - Returns: when the round began.
  func begin(
    _ batch: Batch, processStart: Timestamp, startedAt: Timestamp?
  ) throws(PostgresError) -> Timestamp {
    let rows = try session.query(
      Self.begin(
        batch.digest.hexadecimal, batch.keyPrefix, batch.path, Int64(batch.rows), processStart, startedAt))
    guard let row = rows.first else { throw .misuse("the batch was not recorded") }
    return try row.decode(0)
  }

  /// The round that `begin` would join, without writing; nil where it would begin one. And the server's clock.
  func current(
    _ digest: SHA256.Digest, processStart: Timestamp
  ) throws(PostgresError) -> (round: Timestamp?, now: Timestamp) {
    let rows = try session.query(Self.current(digest.hexadecimal, processStart))
    guard let row = rows.first else { throw .misuse("the server told no time") }
    return (try row.decodeIfPresent(0), try row.decode(1))
  }

  /// Ends the round that began at `startedAt`, if it is still the present one.
  func finish(_ digest: SHA256.Digest, startedAt: Timestamp) throws(PostgresError) {
    try session.query(Self.finish(digest.hexadecimal, startedAt))
  }

  /// A batch of another text that was begun under this path and not finished: the file was edited since.
  func abandoned(path: String, digest: SHA256.Digest) throws(PostgresError) -> Abandoned? {
    try session.query(Self.abandoned(path, digest.hexadecimal)).first.map { row throws(PostgresError) in
      Abandoned(digest: try row.decode(0), startedAt: try row.decode(1))
    }
  }

  /// Gives up the batches that `abandoned` finds.
  func giveUp(path: String, digest: SHA256.Digest) throws(PostgresError) {
    try session.query(Self.giveUp(path, digest.hexadecimal))
  }

  /// When something was stored under a key; nil where nothing is.
  func storedAt(_ key: String) throws(PostgresError) -> Timestamp? {
    try session.query(Self.storedAt(key)).first?.decodeIfPresent(0)
  }

  /// Every statement of this target, for the test that prepares them all.
  public static let statements = [processStart, begin, current, finish, abandoned, giveUp, storedAt]

  private static let processStart = Statement(
    "select clock_timestamp() - $1::bigint * interval '1 millisecond'", parameters: [.int8],
    columns: [.timestamptz])

  private static let begin = Statement(
    """
    insert into ironforge.batches as b (sha256, key_prefix, path, rows, started_at)
    values ($1, $2, $3, $4, coalesce($6, clock_timestamp()))
    on conflict (sha256) do update set
      path = excluded.path,
      -- Both cases: the round was over before this process began.
      started_at = case when b.finished_at <= $5 then excluded.started_at else b.started_at end,
      finished_at = case when b.finished_at <= $5 then null else b.finished_at end
    returning started_at
    """, parameters: [.text, .text, .text, .int8, .timestamptz, .timestamptz], columns: [.timestamptz])

  private static let current = Statement(
    """
    select
      (select started_at from ironforge.batches
       where sha256 = $1 and (finished_at is null or finished_at > $2)),
      clock_timestamp()
    """, parameters: [.text, .timestamptz], columns: [.timestamptz, .timestamptz])

  private static let finish = Statement(
    """
    update ironforge.batches set finished_at = clock_timestamp()
    where sha256 = $1 and started_at = $2 and finished_at is null
    """, parameters: [.text, .timestamptz])

  private static let abandoned = Statement(
    """
    select sha256, started_at from ironforge.batches
    where path = $1 and sha256 <> $2 and finished_at is null
    order by started_at desc
    limit 1
    """, parameters: [.text, .text], columns: [.text, .timestamptz])

  private static let giveUp = Statement(
    """
    update ironforge.batches set finished_at = clock_timestamp()
    where path = $1 and sha256 <> $2 and finished_at is null
    """, parameters: [.text, .text])

  // A reservation that another transaction holds on a key is not seen here, and not needed.
  private static let storedAt = Statement(
    """
    select coalesce(
      (select created_at from transfers where key = $1),
      (select created_at from hold_resolutions where key = $1))
    """, parameters: [.text], columns: [.timestamptz])
}
