internal import Primitives

/// The places of a prune and of a restoration, in their order.
extension FaultPoint {
  /// The undo file is on disk, and nothing is dropped.
  static var undoWritten: FaultPoint { FaultPoint("prune-undo-written") }
  /// An index is dropped.
  static var dropped: FaultPoint { FaultPoint("prune-dropped") }
  /// An index is made again, without what CREATE INDEX does not set.
  static var recreated: FaultPoint { FaultPoint("restore-created") }
}
