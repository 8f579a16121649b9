internal import Primitives

/// The places of a chunk on its way, in their order.
extension FaultPoint {
  static var beforeBegin: FaultPoint { FaultPoint("before-begin") }
  static var afterLocks: FaultPoint { FaultPoint("after-locks") }
  static var afterInserts: FaultPoint { FaultPoint("after-inserts") }
  static var commitSent: FaultPoint { FaultPoint("commit-sent") }
  static var afterCommit: FaultPoint { FaultPoint("after-commit") }
}
