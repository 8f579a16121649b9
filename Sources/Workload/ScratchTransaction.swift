internal import Postgres

/// Statements that are to leave nothing behind, whether they fail or not.
extension Session {
  private static let undo = "rollback to savepoint ironforge_scratch; release savepoint ironforge_scratch"

  /// Runs `body`; where a transaction is open, behind a savepoint that takes back what `body` did; else in a transaction that is
  /// read-only and rolled back.
  ///
  /// - Throws: what `body` throws, and `PostgresError`, also where the transaction had failed before.
  func behindSavepoint<T>(_ body: () throws -> T) throws -> T {
    guard isInTransaction else {
      // What the planner calls must not write; and behind a pooler the next statement may run on another connection.
      _ = try pipeline(beginning(.snapshot))
      defer { rollback() }
      return try body()
    }
    try simple("savepoint ironforge_scratch")
    let result = try undoing(with: Self.undo, body)
    try simple(Self.undo)
    return result
  }

  /// Runs `setUp`, then `body`, and takes both back: in the caller's transaction where there is one, or in one of its
  /// own, which is read-only. `tearDown` is SQL that runs behind both, also where `body` has failed.
  ///
  /// - Throws: as `behindSavepoint`.
  func inScratchTransaction<T>(setUp: String, tearDown: String, _ body: () throws -> T) throws -> T {
    let end = isInTransaction ? "" : "; rollback"
    if !isInTransaction { _ = try pipeline(beginning(.snapshot)) }
    _ = try undoing(with: Self.undo + end) { try simple("savepoint ironforge_scratch; \(setUp)") }
    let result = try undoing(with: "\(Self.undo); \(tearDown)\(end)", body)
    try simple("\(Self.undo); \(tearDown)\(end)")
    return result
  }

  private func undoing<T>(with undo: String, _ body: () throws -> T) throws -> T {
    do {
      return try body()
    } catch {
      if isOpen, isInTransaction {
        do throws(PostgresError) {
          try simple(undo)
        } catch {
          // The caller's transaction had failed before and has no savepoint; it is as it was. The first error counts.
        }
      }
      throw error
    }
  }
}
