/// Who may have fenced a key in a server that has forgotten it, as the primary database knows at one time: whatever was
/// acknowledged to them before is over by now or among those that are still running.
public struct Horizon: Sendable, Hashable {
  /// `pg_current_xact_id()` of a transaction that is over at once.
  public let latest: TransactionID
  /// The transactions no younger than it that fence and are not over.
  public let fencing: [TransactionID]

  /// - Parameters:
  ///   - latest: assigned since vouching began.
  ///   - fencing: listed after `latest` was assigned. A transaction must be among them from before it fences until it is over.
  public init(latest: TransactionID, fencing: [TransactionID]) {
    self.latest = latest
    self.fencing = fencing
  }

  /// Whether a load with this snapshot, which is younger than the horizon if it is the primary's, saw all of them.
  func isSeen(by snapshot: DatabaseSnapshot) -> Bool {
    (!snapshot.isFromStandby || snapshot.sees(latest)) && fencing.allSatisfy(snapshot.sees)
  }
}
