import Primitives
import Redis
import TestSupport

@testable import Cache

/// A store, a session to a server and what a test says most often to them. Snapshots are given as PostgreSQL writes them.
struct StoreBench {
  let store: FencedStore
  let session: Session
  let servers = TrustedServers(.all(["user:"]))

  init(_ server: PrivateRedis) throws {
    store = try FencedStore()
    session = try Session(connecting: Endpoint(url: server.url), commandTimeout: .seconds(20))
  }

  /// Vouches for the server at a time when all transactions up to `horizon` had begun, of which `fencing` were not over.
  func establish(horizon: UInt64, fencing: [UInt64] = []) throws -> Bool {
    try store.establish(servers, in: session) {
      Horizon(latest: TransactionID(horizon), fencing: fencing.map(TransactionID.init))
    }
  }

  func read(_ key: CacheKey) throws -> StoreReading {
    try store.read(key, trusting: servers, in: session)
  }

  func lease(_ key: CacheKey) throws -> FillLease {
    guard case .granted(let lease) = try read(key) else { throw TestFailure("no lease for \(key)") }
    return lease
  }

  func fill(_ lease: FillLease, _ text: String, seeing seen: String, standby: Bool = false) throws
    -> FillOutcome
  {
    try store.fill(loaded(text, seen, standby), under: lease, in: session)
  }

  /// A read that finds nothing, loads and fills.
  func fill(_ key: CacheKey, _ text: String, seeing seen: String, standby: Bool = false) throws -> FillOutcome
  {
    try fill(lease(key), text, seeing: seen, standby: standby)
  }

  func fence(_ keys: [CacheKey], by number: UInt64, seeing seen: String = "1:1:") throws {
    let snapshot = try DatabaseSnapshot(text: seen, isFromStandby: false)
    let writer = WritingTransaction(TransactionID(number), snapshot: snapshot)
    try store.fence(keys, by: writer, in: session)
  }

  func stored(_ key: CacheKey) throws -> String? {
    try session.execute("GET", .text(key.text)).text()
  }

  private func loaded(_ text: String, _ seen: String, _ standby: Bool) throws -> LoadedValue {
    LoadedValue(.text(text), snapshot: try DatabaseSnapshot(text: seen, isFromStandby: standby))
  }
}

extension KeySpace {
  /// Every key with one of the prefixes.
  static func all(_ prefixes: [String]) -> KeySpace { KeySpace(prefixes: prefixes) { _ in true } }
}
