public import Primitives

/// The places of a transaction on its way, in their order.
extension FaultPoint {
  public static var beforeBegin: FaultPoint { FaultPoint("before-begin") }
  public static var afterLocks: FaultPoint { FaultPoint("after-locks") }
  public static var afterInserts: FaultPoint { FaultPoint("after-inserts") }
  /// The fences of the rows that change are on their way, and not answered.
  public static var fenceSent: FaultPoint { FaultPoint("fence-sent") }
  /// They are raised, or known to be missed; COMMIT is not sent.
  public static var fenced: FaultPoint { FaultPoint("fenced") }
  public static var commitSent: FaultPoint { FaultPoint("commit-sent") }
  public static var afterCommit: FaultPoint { FaultPoint("after-commit") }
}
