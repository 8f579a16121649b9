/// A place in an input file that cannot be used, and why.
public struct InputError: Failure {
  /// The file as the user named it.
  public let file: String
  /// Counted from 1; where a record spans lines, its first.
  public let line: Int
  /// What is wrong, without the place.
  public let reason: String
  public let code: String
  public let hint: String?
  public let kind: FailureKind

  /// - Parameter kind: `malformedInput`, unless the line is well formed and a rule refuses it.
  public init(
    file: String, line: Int, _ reason: String, code: String = "input_malformed", hint: String? = nil,
    kind: FailureKind = .malformedInput
  ) {
    self.file = file
    self.line = line
    self.reason = reason
    self.code = code
    self.hint = hint
    self.kind = kind
  }

  public var message: String { "\(file):\(line): \(reason)" }
}
