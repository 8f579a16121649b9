import Dispatch
import Foundation
import Postgres
import Primitives
import Synchronization
import TestSupport
import Testing

extension SessionOptions {
  /// Bounds that a busy machine keeps: all tests run at the same time.
  static let patient = SessionOptions(statementTimeout: .seconds(600), lockTimeout: .seconds(60))
}

/// Opens a session and lends it to `body` on a thread of its own.
@discardableResult
func withSession<R: Sendable>(
  _ url: String, _ options: SessionOptions = .patient,
  _ body: @escaping @Sendable (Session) throws -> R
) async throws -> R {
  try await blocking {
    let session = try Session(connecting: try ConnectionString(url), options: options)
    defer { session.close() }
    return try body(session)
  }
}

/// Lends a session to a database of its own.
@discardableResult
func withSession<R: Sendable>(
  _ options: SessionOptions = .patient, _ body: @escaping @Sendable (Session) throws -> R
) async throws -> R {
  try await withDatabase { try await withSession($0.url, options, body) }
}

/// The first column of the first row.
func scalar<T: PostgresDecodable>(
  _ session: Session, _ sql: String, _ type: T.Type = T.self
) throws -> T {
  let rows = try session.query(Statement(sql, columns: [try #require(T.postgresTypes.first)])())
  return try #require(rows.first).decode(0)
}

/// Whether the session still answers.
func answers(_ session: Session) throws -> Bool {
  try scalar(session, "select 41 + 1", Int32.self) == 42
}

/// The `PostgresError` that `body` throws; records an issue where it throws none.
func failure(
  sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Void
) -> PostgresError? {
  do {
    try body()
  } catch let error as PostgresError {
    return error
  } catch {
    Issue.record("another error: \(error)", sourceLocation: sourceLocation)
    return nil
  }
  Issue.record("nothing was thrown", sourceLocation: sourceLocation)
  return nil
}

/// How long `body` takes, in seconds.
func seconds(_ body: () throws -> Void) rethrows -> Double {
  let start = monotonicNanoseconds()
  try body()
  return Double(monotonicNanoseconds() - start) / 1e9
}

/// A small repeatable generator (Marsaglia, "Xorshift RNGs").
struct Xorshift: RandomNumberGenerator {
  var state: UInt64

  /// A generator with a seed that a failing test prints.
  static func seeded() -> (Xorshift, UInt64) {
    let seed = UInt64.random(in: 1 ... .max)
    return (Xorshift(state: seed), seed)
  }

  mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state
  }
}

/// A thread that can be waited for.
final class DetachedThread: Sendable {
  private let done = DispatchSemaphore(value: 0)

  fileprivate init(_ body: @escaping @Sendable () -> Void) {
    Thread.detachNewThread { [done] in
      body()
      done.signal()
    }
  }

  /// Blocks until the body has ended.
  func wait() { done.wait() }
}

/// Runs `body` on a thread of its own.
func detached(_ body: @escaping @Sendable () -> Void) -> DetachedThread {
  DetachedThread(body)
}

/// A flag that threads share.
final class Flag: Sendable {
  private let value = Atomic<Bool>(false)

  var isSet: Bool { value.load(ordering: .acquiring) }
  func set() { value.store(true, ordering: .releasing) }
}
