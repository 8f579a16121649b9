/// Text of the catalog that is the same when its bytes are. Swift takes strings for equal that are so canonically, and
/// the server does not.
public struct ExactText: Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
  public let description: String

  public init(_ text: String) { description = text }
  public init(stringLiteral text: String) { description = text }

  public static func == (a: ExactText, b: ExactText) -> Bool {
    a.description.utf8.elementsEqual(b.description.utf8)
  }

  public func hash(into hasher: inout Hasher) {
    for byte in description.utf8 { hasher.combine(byte) }
  }
}
