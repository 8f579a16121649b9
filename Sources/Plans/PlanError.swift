public import Primitives

/// Why a text is no plan, and where.
public struct PlanError: Failure, Equatable {
  public let reason: String
  /// Counted from 1; 0 where no place can be named.
  public let line: Int
  /// Characters of the line, counted from 1; 0 where only the line is known.
  public let column: Int

  public init(_ reason: String, line: Int = 0, column: Int = 0) {
    self.reason = reason
    self.line = line
    self.column = column
  }

  public var code: String { "plan_malformed" }
  public var message: String {
    let place = line > 0 ? ", line \(line)" + (column > 0 ? ", column \(column)" : "") : ""
    return "the plan cannot be read\(place): \(reason)"
  }
  public var hint: String? { "give the whole output of EXPLAIN, as text or JSON" }
  public var kind: FailureKind { .malformedInput }
}

/// What is wrong with a value of a plan's document, and the way to the value. Whoever knows the text makes a `PlanError` of it.
struct PlanFault: Error {
  let reason: String
  /// From the value outwards.
  private var steps: [JSONStep]

  /// - Parameter member: of the object that is being read; nil for the object itself.
  init(_ reason: String, _ member: String? = nil) {
    self.reason = reason
    steps = member.map { [.member($0)] } ?? []
  }

  /// From the document inwards.
  var path: [JSONStep] { steps.reversed() }

  /// The same, told by what the object stands in.
  func inside(_ list: String, _ index: Int? = nil) -> PlanFault {
    var fault = self
    if let index { fault.steps.append(.element(index)) }
    fault.steps.append(.member(list))
    return fault
  }
}
