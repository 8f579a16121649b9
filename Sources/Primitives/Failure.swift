/// What kind of failure ended the work. The raw value is the exit code of SPEC section 1.2.
public enum FailureKind: Int32, Sendable {
  /// Something that nobody foresaw.
  case unexpected = 1
  /// The work finished, but some of its items were rejected.
  case partial = 3
  /// A business rule refused the request; nothing was changed.
  case refused = 4
  /// COMMIT was sent and no answer came.
  case outcomeUnknown = 5
  /// A check ran and found something.
  case found = 10
  /// The command line is wrong.
  case usage = 64
  /// Input data is malformed.
  case malformedInput = 65
  /// PostgreSQL or Redis cannot be reached.
  case unreachable = 69
  /// Another run holds the lock; the same command can succeed later.
  case busy = 75
  /// The database role lacks a privilege.
  case privilege = 77
  /// Configuration is missing or wrong.
  case configuration = 78
  /// A service-level target was missed.
  case targetMissed = 99
  /// SIGINT stopped the work.
  case interrupted = 130
  /// SIGTERM stopped the work.
  case terminated = 143
}

/// An error that a person or a script can act on: a stable code, what failed and why, and what to do next.
///
/// Every error that a library target of IronForge throws conforms to it. Callers tell errors apart by `code`
/// or by type, never by `message`.
public protocol Failure: Error, CustomStringConvertible {
  /// Stable snake_case name, safe to match in scripts.
  var code: String { get }
  /// What failed and why, one sentence; no secrets.
  var message: String { get }
  /// What to do next, where something sensible can be said.
  var hint: String? { get }
  /// Whether the same request may succeed if it is simply sent again.
  var isRetryable: Bool { get }
  /// The kind, which decides the exit code.
  var kind: FailureKind { get }
}

extension Failure {
  public var hint: String? { nil }
  public var isRetryable: Bool { false }
  public var description: String { message }
}

/// A failure given by its values, for places that need no type of their own.
public struct SimpleFailure: Failure {
  public var code: String
  public var message: String
  public var hint: String?
  public var isRetryable: Bool
  public var kind: FailureKind

  public init(
    _ kind: FailureKind, code: String, message: String, hint: String? = nil, isRetryable: Bool = false
  ) {
    self.code = code
    self.message = message
    self.hint = hint
    self.isRetryable = isRetryable
    self.kind = kind
  }
}
