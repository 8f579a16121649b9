/// Rows in order, and how many were looked at for them.
public struct WarmPart: Sendable {
  /// The rows; may be empty, where nobody in the part is active.
  public let chunk: WarmChunk
  /// How many rows were looked at, for the progress.
  public let lookedAt: Int

  /// What one read returned.
  public init(_ chunk: WarmChunk, lookedAt: Int) {
    self.chunk = chunk
    self.lookedAt = lookedAt
  }
}

/// Where a warmup gets its rows from. Called by one thread at a time, though by several in turn. A failure that may pass says
/// so (`Failure.isRetryable`), and the same call may then be made again.
public protocol WarmSource: AnyObject {
  /// The next rows, in a snapshot taken now; nil when there are no more.
  ///
  /// - Parameter rowsMax: how many rows to look at, at most.
  func next(rowsMax: Int) throws -> WarmPart?

  /// These rows, in a snapshot taken now. Those that are gone are left out.
  func rows(_ keys: [CacheKey]) throws -> WarmChunk

  /// Who may have fenced so far, as the primary database says now.
  func horizon() throws -> Horizon

  /// What a read would see now.
  func snapshot() throws -> DatabaseSnapshot
}
