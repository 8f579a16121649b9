internal import Postgres
internal import Primitives

/// What an error of a chunk means for the run.
enum ChunkError: Sendable {
  /// Another transaction was in the way: the same chunk may well succeed later.
  case transient(code: String, message: String)
  /// Something in the chunk cannot be worked on: it is split down to the rows that are at fault.
  case bad(code: String, message: String)
  /// The connection is gone. Whether the chunk was committed stands in the database.
  case lost(any Error & Sendable)
  /// This process asked the server to end the statement.
  case cancelled
  /// No chunk would fare better: the run ends.
  case fatal(any Error & Sendable)

  /// Classes of SQLSTATE (manual, Appendix A) that do not depend on rows: features, transaction state, roles,
  /// cursors, catalogs, syntax and access, resources, the system, the server's own faults. `55` is object
  /// state.
  private static let fatalClasses: Set<String> = [
    "0A", "0B", "25", "26", "28", "2B", "2D", "2F", "34", "3B", "3D", "3F", "42", "53", "55", "58", "F0",
    "XX",
  ]

  init(_ error: any Error) {
    guard let error = error as? PostgresError else {
      self = error is CancellationError ? .cancelled : .fatal(error)
      return
    }
    if error.endsSession {
      self = .lost(error)
      return
    }
    switch error {
    case .cancelled: self = .cancelled
    // The chunk is found to be done; a later COMMIT that the standby confirms confirms this one, too.
    case .notReplicated: self = .lost(error)
    case .server(let detail):
      if error.isTransient || detail.sqlState == "55P03" {
        self = .transient(code: detail.sqlState, message: detail.message)
      } else if Self.fatalClasses.contains(String(detail.sqlState.prefix(2))) {
        self = .fatal(error)
      } else {
        // Data, constraints, RAISE EXCEPTION, a limit of one value, and 57014: a chunk that takes too long
        // takes less when it is smaller.
        self = .bad(code: detail.sqlState, message: detail.message)
      }
    case .malformedConnectionString, .connectFailed, .connectionLost, .deadlineExceeded, .decoding, .misuse:
      self = .fatal(error)
    }
  }
}
