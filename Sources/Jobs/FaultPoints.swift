internal import Primitives

/// The places of a chunk and of its run, in their order.
extension FaultPoint {
  /// Chunks are planned and recorded.
  static var planned: FaultPoint { FaultPoint("job-planned") }
  /// A chunk is locked, and nothing is done yet.
  static var claimed: FaultPoint { FaultPoint("job-claimed") }
  /// The work of a chunk is done, and not committed.
  static var worked: FaultPoint { FaultPoint("job-worked") }
  /// COMMIT is on its way.
  static var commitSent: FaultPoint { FaultPoint("job-commit-sent") }
  /// COMMIT was answered.
  static var committed: FaultPoint { FaultPoint("job-committed") }
  /// A bad chunk was split.
  static var split: FaultPoint { FaultPoint("job-split") }
  /// Finished chunks were folded into the run.
  static var folded: FaultPoint { FaultPoint("job-folded") }
  /// The end of the run is recorded, and nobody has been told.
  static var finished: FaultPoint { FaultPoint("job-finished") }
  /// The end of the run was told.
  static var reported: FaultPoint { FaultPoint("job-reported") }
}
