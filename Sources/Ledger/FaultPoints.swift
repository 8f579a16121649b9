public import Primitives

/// The places of a transaction on its way, in their order.
extension FaultPoint {
  public static var beforeBegin: FaultPoint { FaultPoint("before-begin") }
  public static var afterLocks: FaultPoint { FaultPoint("after-locks") }
  public static var afterInserts: FaultPoint { FaultPoint("after-inserts") }
  public static var commitSent: FaultPoint { FaultPoint("commit-sent") }
  public static var afterCommit: FaultPoint { FaultPoint("after-commit") }
}
