/// Pages that were touched, and what waiting for them took. A node's numbers include those of all below it.
public struct BufferUse: Sendable, Equatable {
  public var sharedHit = 0
  public var sharedRead = 0
  public var sharedDirtied = 0
  public var sharedWritten = 0
  public var localHit = 0
  public var localRead = 0
  public var localDirtied = 0
  public var localWritten = 0
  public var tempRead = 0
  public var tempWritten = 0
  /// Milliseconds of reading and writing tables and indexes, with `track_io_timing`.
  public var readTime = 0.0
  public var writeTime = 0.0
  /// The same of temporary files.
  public var tempReadTime = 0.0
  public var tempWriteTime = 0.0

  public init() {}

  /// Pages of tables and indexes, from wherever they came.
  public var pages: Int { sharedHit + sharedRead + localHit + localRead }
  /// Pages that were not in shared buffers.
  public var pagesRead: Int { sharedRead + localRead }
  public var isEmpty: Bool { self == BufferUse() }

  /// More than a table can have, and so few that sums over a plan cannot overflow.
  static let countMax = 1 << 42

  /// The numbers by their names in JSON. PostgreSQL 17 tells shared from local I/O times, the others do not.
  static let counts: [(key: String, path: any WritableKeyPath<BufferUse, Int> & Sendable)] = [
    ("Shared Hit Blocks", \.sharedHit), ("Shared Read Blocks", \.sharedRead),
    ("Shared Dirtied Blocks", \.sharedDirtied), ("Shared Written Blocks", \.sharedWritten),
    ("Local Hit Blocks", \.localHit), ("Local Read Blocks", \.localRead),
    ("Local Dirtied Blocks", \.localDirtied), ("Local Written Blocks", \.localWritten),
    ("Temp Read Blocks", \.tempRead), ("Temp Written Blocks", \.tempWritten),
  ]
  static let times: [(key: String, path: any WritableKeyPath<BufferUse, Double> & Sendable)] = [
    ("I/O Read Time", \.readTime), ("Shared I/O Read Time", \.readTime), ("Local I/O Read Time", \.readTime),
    ("I/O Write Time", \.writeTime), ("Shared I/O Write Time", \.writeTime),
    ("Local I/O Write Time", \.writeTime), ("Temp I/O Read Time", \.tempReadTime),
    ("Temp I/O Write Time", \.tempWriteTime),
  ]

  /// Without what `other` already counts; never below nothing.
  func without(_ other: BufferUse) -> BufferUse {
    var rest = self
    for (_, path) in Self.counts { rest[keyPath: path] = max(0, self[keyPath: path] - other[keyPath: path]) }
    for path in [\BufferUse.readTime, \.writeTime, \.tempReadTime, \.tempWriteTime] {
      rest[keyPath: path] = max(0, self[keyPath: path] - other[keyPath: path])
    }
    return rest
  }

  static func + (a: BufferUse, b: BufferUse) -> BufferUse {
    var sum = a
    for (_, path) in counts { sum[keyPath: path] = min(countMax, a[keyPath: path] + b[keyPath: path]) }
    for path in [\BufferUse.readTime, \.writeTime, \.tempReadTime, \.tempWriteTime] {
      sum[keyPath: path] += b[keyPath: path]
    }
    return sum
  }
}
