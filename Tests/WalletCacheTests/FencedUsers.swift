import Glibc
import Ledger
import Postgres
import Primitives

/// Users that are created one after another, by a ledger with a fence.
struct FencedUsers {
  private let session: Session
  private let ledger: Ledger

  init(_ url: String, _ fence: any CommitFence) throws {
    session = try Session(connecting: ConnectionString(url))
    ledger = Ledger(session, fence: fence)
  }

  func create(_ email: String) throws {
    _ = try ledger.createUser(email: email, name: "")
  }

  /// How many rows the outbox has.
  func noted() throws -> Int {
    try session.transaction { try CacheOutbox(session).take(limit: 100).count }
  }

  func wait(seconds: UInt32) { sleep(seconds) }
}
