/// Reading a document whose shape is another program's: what is absent, or of another kind, reads as `null` or nil.
extension JSON {
  /// A member of an object, `null` where there is none.
  public subscript(name: String) -> JSON {
    guard case .object(let members) = self else { return .null }
    return members.first { $0.key == name }?.value ?? .null
  }

  /// The elements of an array, none of anything else.
  public var elements: [JSON] {
    guard case .array(let elements) = self else { return [] }
    return elements
  }

  /// The members of an object in their order, none of anything else.
  public var members: [(key: String, value: JSON)] {
    guard case .object(let members) = self else { return [] }
    return members
  }

  /// The text of a string.
  public var text: String? {
    guard case .string(let text) = self else { return nil }
    return text
  }

  public var boolean: Bool? {
    guard case .bool(let value) = self else { return nil }
    return value
  }

  /// A whole number that fits, whichever way it is kept.
  public var integer: Int? {
    switch self {
    case .integer(let value): Int(exactly: value)
    case .number(let value): Int(exactly: value)
    case .decimal(let digits): Int(digits) ?? Double(digits).flatMap { Int(exactly: $0) }
    default: nil
    }
  }

  /// A number, rounded to the nearest that a `Double` holds; nil when it is out of range.
  public var real: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value
    case .decimal(let digits): Double(digits).flatMap { $0.isFinite ? $0 : nil }
    default: nil
    }
  }
}
