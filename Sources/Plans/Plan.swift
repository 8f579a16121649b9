public import Primitives

/// A query plan: what `EXPLAIN` says of one statement.
public struct Plan: Sendable {
  public var root: PlanNode

  /// Reads the output of `EXPLAIN (FORMAT JSON)`: an array of one object with a member `Plan`.
  ///
  /// - Throws: `PlanError`.
  public init(parsingJSON bytes: [UInt8]) throws(PlanError) {
    let document: JSON
    do throws(JSONError) {
      document = try JSON(parsing: bytes)
    } catch {
      throw PlanError(error.reason, line: error.line)
    }
    let explained = document.elements.first ?? document
    guard case .object = explained["Plan"] else { throw PlanError("no member \"Plan\"") }
    root = try PlanNode(explained["Plan"])
  }
}

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
