internal import Primitives
internal import Wallet

/// The files that a batch writes: the outcome of every row, and the rows to be tried again.
final class OutcomeFiles {
  private let outcome: DurableFile?
  private let retry: DurableFile?
  /// Referred keys of rows that stand in the retry file, and have another key there.
  private var renamed: Set<String> = []

  /// - Throws: `output_failed`.
  init(outcome: String?, retry: String?) throws {
    self.outcome = try outcome.map { path throws(SimpleFailure) in try DurableFile(path) }
    self.retry = try retry.map { path throws(SimpleFailure) in try DurableFile(path) }
    try self.outcome?.write { Self.append(["line", "key", "code", "transfer_id", "message"], to: &$0) }
    try self.retry?.write { Self.append(BatchColumn.allCases.map(\.name), to: &$0) }
  }

  /// Whether all of them can be given up once they were written to.
  var canBeDiscarded: Bool { [outcome, retry].allSatisfy { $0?.canBeDiscarded ?? true } }

  /// Writes what became of rows, in their order.
  ///
  /// - Parameter isReferred: whether another row of the file refers to a key.
  /// - Throws: `output_failed`.
  func write(_ rows: [BatchRow], _ results: [RowResult], isReferred: (String) -> Bool) throws {
    try outcome?.write { out in
      for index in rows.indices { Self.append(rows[index], results[index], to: &out) }
    }
    FaultPoint.midOutcome.reach()
    guard let retry else { return }
    for (row, result) in zip(rows, results) where result.code.isWorthRetrying {
      let ref = row.ref.map { renamed.contains($0) ? Self.nextKey($0) : $0 }
      if isReferred(row.key) { renamed.insert(row.key) }
      try retry.write { out in
        Self.append(
          [
            Self.nextKey(row.key), row.kind == .transfer ? "" : row.kind.rawValue, row.from.text,
            row.to.text,
            row.amount,
            row.currency, ref ?? "", row.expires, row.memo ?? "",
          ], to: &out)
      }
    }
  }

  /// Makes the files what their paths name, the retry file first: whoever finds the outcome finds both.
  func commit() throws {
    try retry?.commit()
    try outcome?.commit()
  }

  /// Gives the files up; the paths stay as they were.
  func discard() {
    outcome?.discard()
    retry?.discard()
  }

  /// The key of the next attempt: `payout-1`, `payout-1~2`, `payout-1~3`. One that would be too long becomes a hash of
  /// the old one, so that it is still the same in every run.
  static func nextKey(_ key: String) -> String {
    var base = key[...]
    var attempt = 2
    if let mark = key.lastIndex(of: "~"), let number = Int(key[key.index(after: mark)...]), number >= 2,
      number < 1_000_000, key[key.index(after: mark)...] == "\(number)"
    {
      base = key[..<mark]
      attempt = number + 1
    }
    let next = "\(base)~\(attempt)"
    if next.utf8.count <= 200 { return next }
    let digest = SHA256.digest(of: base.utf8).bytes
    return String(decoding: base64URL(digest), as: UTF8.self) + "~\(attempt)"
  }

  private static func append(_ row: BatchRow, _ result: RowResult, to out: inout [UInt8]) {
    out.append(contentsOf: String(row.line).utf8)
    out.append(CSV.separator)
    CSV.append(row.shownKey, to: &out)
    out.append(CSV.separator)
    out.append(contentsOf: result.code.name.utf8)
    out.append(CSV.separator)
    if let id = result.transferID { out.append(contentsOf: id.description.utf8) }
    out.append(CSV.separator)
    if !result.code.isSuccess { CSV.append(result.message, to: &out) }
    out.append(contentsOf: CSV.lineEnd)
  }

  private static func append(_ fields: [String], to out: inout [UInt8]) {
    for (index, field) in fields.enumerated() {
      if index > 0 { out.append(CSV.separator) }
      CSV.append(field, to: &out)
    }
    out.append(contentsOf: CSV.lineEnd)
  }
}

extension FaultPoint {
  /// A chunk has committed, and nothing of its outcome is written.
  static var beforeOutcome: FaultPoint { FaultPoint("before-outcome") }
  /// Outcomes are written, and have no name yet.
  static var midOutcome: FaultPoint { FaultPoint("mid-outcome") }
  /// Everything is told, and the batch not marked as finished.
  static var beforeFinish: FaultPoint { FaultPoint("before-finish") }
}
