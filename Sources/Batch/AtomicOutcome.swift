internal import Primitives
internal import Wallet

/// The outcome of a batch that is carried out whole or not at all. Which of the two is known when all rows were
/// looked at; until then both outcomes are written.
final class AtomicOutcome {
  private let kept: OutcomeFiles
  private let aborted: OutcomeFiles
  private let isReferred: (String) -> Bool
  private var keptTally = BatchTally()
  private var abortedTally = BatchTally()

  /// Whether a row was refused, so that none is carried out.
  var isAborted: Bool { keptTally.rejected > 0 }
  /// Rows that were told so far.
  var rows: Int { keptTally.rows }

  /// - Throws: `outcome_not_a_file`; only files can be given up.
  init(_ kept: OutcomeFiles, _ aborted: OutcomeFiles, isReferred: @escaping (String) -> Bool) throws {
    guard kept.canBeDiscarded else {
      throw SimpleFailure(
        .usage, code: "outcome_not_a_file",
        message:
          "the outcome of an atomic batch is known when all of it is; it cannot go to a pipe or a device",
        hint: "name a file")
    }
    self.kept = kept
    self.aborted = aborted
    self.isReferred = isReferred
  }

  /// Takes what became of rows if all is carried out.
  func tell(_ rows: [BatchRow], _ results: [RowResult]) throws {
    let spoiled = results.map { Self.aborted($0) }
    for (index, row) in rows.enumerated() {
      keptTally.add(row, results[index])
      abortedTally.add(row, spoiled[index])
    }
    try kept.write(rows, results, isReferred: isReferred)
    try aborted.write(rows, spoiled, isReferred: isReferred)
  }

  /// Makes the right one of the outcomes what the paths name.
  func commit() throws -> BatchTally {
    (isAborted ? kept : aborted).discard()
    try (isAborted ? aborted : kept).commit()
    return isAborted ? abortedTally : keptTally
  }

  /// What becomes of a row if nothing is carried out: what was stored before stays, and nothing is recorded.
  private static func aborted(_ result: RowResult) -> RowResult {
    if result.isOlder || result.code == .malformed { return result }
    var result = result
    result.transferID = nil
    if result.code.isSuccess { result.code = .result(.batchAborted) }
    return result
  }
}
