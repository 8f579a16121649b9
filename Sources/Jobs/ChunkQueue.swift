internal import Primitives

/// What is to be done with a chunk.
struct ChunkTask: Sendable {
  enum Kind: Sendable {
    case work
    /// Its work failed for a reason that lies in its rows: it is split, or its only row is set aside.
    case isolate(code: String, message: String)
  }

  let chunk: Chunk
  var kind = Kind.work
  /// How often other transactions were in the way.
  var conflicts = 0
  /// When it was first found locked by somebody else.
  var lockedSince: Int64?
  /// Nanoseconds of the monotonic clock before which it rests.
  var notBefore: Int64 = .min
}

/// Chunks that are planned and that nobody works on. Bounded by who fills it.
struct ChunkQueue: Sendable {
  private var tasks: [ChunkTask] = []

  var count: Int { tasks.count }
  var isEmpty: Bool { tasks.isEmpty }

  /// Behind all others.
  mutating func append(_ chunks: [Chunk]) { tasks += chunks.map { ChunkTask(chunk: $0) } }

  /// Before all others: what was begun is finished first.
  mutating func putBack(_ task: ChunkTask) { tasks.insert(task, at: 0) }

  /// The first that may start.
  mutating func next(at now: Int64) -> ChunkTask? {
    guard let index = tasks.firstIndex(where: { $0.notBefore <= now }) else { return nil }
    return tasks.remove(at: index)
  }

  /// Whether everything rests.
  func isResting(at now: Int64) -> Bool { !tasks.isEmpty && tasks.allSatisfy { $0.notBefore > now } }

  mutating func removeAll() { tasks = [] }
}
