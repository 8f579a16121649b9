import Foundation

/// Runs `body` on a thread of its own: a call that blocks must not hold one of the few threads that async code
/// shares.
public func blocking<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
  try await withCheckedThrowingContinuation { continuation in
    Thread.detachNewThread { continuation.resume(with: Result(catching: body)) }
  }
}
