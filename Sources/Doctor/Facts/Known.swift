/// A fact, or why it is not known.
public enum Known<Value: Sendable>: Sendable {
  case known(Value)
  /// A clause for people: "the role may not read users".
  case unknown(String)

  /// The value, where it is known.
  public var value: Value? {
    if case .known(let value) = self { return value }
    return nil
  }

  /// What a check says: by `judge` of the value, else that it cannot be judged.
  func judged(_ check: Check, _ judge: (Value) -> CheckupItem) -> CheckupItem {
    switch self {
    case .known(let value): judge(value)
    case .unknown(let reason): check.notJudged(reason)
    }
  }
}
