import Postgres
import TestSupport

/// Keeps transfers from being written, until it is released. Wallets can be read and locked.
final class TransfersLock {
  private let session: Session

  init(_ town: Town) throws {
    session = try Session(connecting: ConnectionString(town.database.url))
    try session.simple("begin; lock table transfers in share mode")
  }

  func release() { session.close() }
}
