import Jobs
import Ledger
import Postgres
import WalletCache

/// Fences in Redis what transactions could not fence before their COMMIT.
struct DrainOutboxJob: Job {
  let fence: WalletFence

  static let name = "drain-outbox"
  var name: String { Self.name }
  var options: [String: String] { [:] }
  // One connection to Redis; a row can have a thousand keys.
  var limits: JobLimits { JobLimits(chunkSize: 100, concurrency: 1) }
  var isRepeatable: Bool { true }

  func prepare(_ session: Session) throws -> any PreparedJob {
    // A run that Redis ended would be taken up by the next one, which would then leave out what was noted in between.
    try fence.fence([])
    return PreparedDrain(fence: fence)
  }
}

private struct PreparedDrain: PreparedJob {
  let fence: WalletFence

  let keys = KeySource(
    relation: "ironforge.cache_outbox",
    columns: [KeySource.Column(name: "id", quoted: "id", type: "bigint", arrayType: .int8Array)])

  /// Rows that somebody else drains at this moment are left to him.
  func work(_ chunk: Chunk, _ session: Session) throws -> ChunkWork {
    let outbox = CacheOutbox(session)
    let entries = try outbox.take(try Self.ids(of: chunk), limit: Int(clamping: chunk.rows))
    try fence.fence(entries)
    try outbox.remove(entries.map(\.id))
    return ChunkWork(visited: Int64(entries.count), affected: Int64(entries.count))
  }

  func explain(_ chunk: Chunk, _ session: Session) throws -> [String] {
    ["the first chunk would fence the cached values that \(chunk.rows) changes have made obsolete"]
  }

  private static func ids(of chunk: Chunk) throws -> ClosedRange<Int64> {
    guard let first = chunk.first.first.flatMap({ Int64($0) }),
      let last = chunk.last.first.flatMap({ Int64($0) }),
      first <= last
    else { throw PostgresError.decoding("an id of the outbox that is none") }
    return first...last
  }
}
