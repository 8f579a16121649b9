public import Primitives

/// Why a text is no plan, and where.
public struct PlanError: Failure, Equatable {
  public let reason: String
  /// Counted from 1; 0 where no place can be named.
  public let line: Int

  public init(_ reason: String, line: Int = 0) {
    self.reason = reason
    self.line = line
  }

  public var code: String { "plan_malformed" }
  public var message: String {
    line > 0 ? "the plan cannot be read, line \(line): \(reason)" : "the plan cannot be read: \(reason)"
  }
  public var hint: String? { "give the whole output of EXPLAIN, as text or JSON" }
  public var kind: FailureKind { .malformedInput }
}
