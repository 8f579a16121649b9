public import Primitives

/// A full transaction id of PostgreSQL (`xid8`, `pg_current_xact_id()`): it never wraps around.
public struct TransactionID: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// The number.
  public let number: UInt64

  /// The transaction with this number.
  public init(_ number: UInt64) {
    self.number = number
  }

  /// Reads the decimal text of an `xid8`.
  ///
  /// - Throws: `snapshot_malformed`.
  public init(text: some StringProtocol) throws(SimpleFailure) {
    // `UInt64` alone would take a sign.
    guard let number = UInt64(text), text.utf8.first != UInt8(ascii: "+") else {
      throw DatabaseSnapshot.malformed("\"\(text.prefix(40))\" is no transaction id")
    }
    self.number = number
  }

  public static func < (a: TransactionID, b: TransactionID) -> Bool { a.number < b.number }

  public var description: String { String(number) }
}

/// A transaction that writes cached rows: who it is, and what was over when it looked.
public struct WritingTransaction: Sendable, Hashable {
  /// `pg_current_xact_id()`.
  public let id: TransactionID
  /// `pg_current_snapshot()` on the primary at any time in it. By it fences of others are removed that are over.
  public let snapshot: DatabaseSnapshot

  /// A transaction on the primary.
  public init(_ id: TransactionID, snapshot: DatabaseSnapshot) {
    precondition(!snapshot.isFromStandby, "nothing is written on a standby")
    self.id = id
    self.snapshot = snapshot
  }

  /// Reads the text of `pg_current_xact_id()` and of `pg_current_snapshot()`.
  ///
  /// - Throws: `snapshot_malformed`.
  public init(id: some StringProtocol, snapshot: String) throws(SimpleFailure) {
    self.init(
      try TransactionID(text: id), snapshot: try DatabaseSnapshot(text: snapshot, isFromStandby: false))
  }
}

/// Which transactions a statement saw: the text of `pg_current_snapshot()`, `xmin:xmax:xip,xip,…`.
public struct DatabaseSnapshot: Sendable, Hashable, CustomStringConvertible {
  /// The oldest transaction that was still running: all before it are over.
  public let oldestRunning: TransactionID
  /// The first that had not begun: none from here on is seen.
  public let firstUnborn: TransactionID
  /// Those between the two that were running, in rising order.
  public let running: [TransactionID]
  /// Whether the statement ran on a standby, whose snapshots do not name what is running.
  public let isFromStandby: Bool

  /// The most running transactions that are read; PostgreSQL has at most 262,143 backends.
  private static let runningMax = 1 << 19

  /// Reads the text of `pg_current_snapshot()`.
  ///
  /// - Parameter isFromStandby: `pg_is_in_recovery()` of the same statement.
  /// - Throws: `snapshot_malformed`.
  public init(text: String, isFromStandby: Bool) throws(SimpleFailure) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 3 else { throw Self.malformed("it has \(parts.count) parts, not 3") }
    let oldestRunning = try TransactionID(text: parts[0])
    let firstUnborn = try TransactionID(text: parts[1])
    var running: [TransactionID] = []
    for part in parts[2].isEmpty ? [] : parts[2].split(separator: ",", omittingEmptySubsequences: false) {
      guard running.count < Self.runningMax else { throw Self.malformed("it names too many transactions") }
      let transaction = try TransactionID(text: part)
      if let last = running.last, last >= transaction { throw Self.malformed("its transactions do not rise") }
      running.append(transaction)
    }
    guard oldestRunning <= firstUnborn,
      running.allSatisfy({ $0 >= oldestRunning && $0 < firstUnborn })
    else { throw Self.malformed("its bounds do not hold its transactions") }
    self.oldestRunning = oldestRunning
    self.firstUnborn = firstUnborn
    self.running = running
    self.isFromStandby = isFromStandby
  }

  /// Whether the statement saw what the transaction did, if it committed. False where that is not certain.
  public func sees(_ transaction: TransactionID) -> Bool {
    if transaction < oldestRunning { return true }
    if isFromStandby || transaction >= firstUnborn { return false }
    var (low, high) = (0, running.count)
    while low < high {
      let middle = (low + high) / 2
      if running[middle] < transaction { low = middle + 1 } else { high = middle }
    }
    return low == running.count || running[low] != transaction
  }

  /// The running ones as the scripts look for them: `,7,9,`.
  var runningList: String { running.reduce(into: ",") { $0 += "\($1)," } }

  /// One that sees nothing.
  static let nothing = DatabaseSnapshot(
    oldestRunning: TransactionID(0), firstUnborn: TransactionID(0), running: [], isFromStandby: false)

  private init(
    oldestRunning: TransactionID, firstUnborn: TransactionID, running: [TransactionID], isFromStandby: Bool
  ) {
    self.oldestRunning = oldestRunning
    self.firstUnborn = firstUnborn
    self.running = running
    self.isFromStandby = isFromStandby
  }

  /// As PostgreSQL writes it.
  public var description: String {
    "\(oldestRunning):\(firstUnborn):" + running.map(\.description).joined(separator: ",")
  }

  static func malformed(_ reason: String) -> SimpleFailure {
    SimpleFailure(
      .unexpected, code: "snapshot_malformed", message: "PostgreSQL's snapshot cannot be read: \(reason)")
  }
}
