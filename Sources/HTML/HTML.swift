/// Markup that is known to be safe: literals of the program, and text that was escaped.
///
/// ```swift
/// let cell: HTML = "<td>\(finding.index)</td>"
/// ```
///
/// What is interpolated is escaped, unless it is `HTML` itself.
public struct HTML: Sendable, ExpressibleByStringInterpolation, CustomStringConvertible {
  public private(set) var description: String

  public init(stringLiteral markup: String) {
    description = markup
  }

  public init(stringInterpolation interpolation: Interpolation) {
    description = interpolation.markup
  }

  /// Text that shows as it is, between tags and inside quoted attributes.
  public init(text: String) {
    description = Self.escape(text)
  }

  /// One behind the other.
  public init(_ pieces: [HTML]) {
    description = pieces.map(\.description).joined()
  }

  public static func += (page: inout HTML, more: HTML) {
    page.description += more.description
  }

  public struct Interpolation: StringInterpolationProtocol {
    fileprivate var markup = ""

    public init(literalCapacity: Int, interpolationCount: Int) {
      markup.reserveCapacity(literalCapacity + 16 * interpolationCount)
    }

    public mutating func appendLiteral(_ literal: String) { markup += literal }
    public mutating func appendInterpolation(_ html: HTML) { markup += html.description }
    public mutating func appendInterpolation(_ text: some CustomStringConvertible) {
      markup += HTML.escape(text.description)
    }
  }

  // Both kinds of quotes, so that it is safe in attributes of either; control characters have no place in HTML 5.
  private static func escape(_ text: String) -> String {
    var escaped = ""
    escaped.reserveCapacity(text.utf8.count)
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": escaped += "&amp;"
      case "<": escaped += "&lt;"
      case ">": escaped += "&gt;"
      case "\"": escaped += "&quot;"
      case "'": escaped += "&#39;"
      case "\n", "\t": escaped.unicodeScalars.append(scalar)
      case _ where scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value): escaped += "\u{FFFD}"
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }
}
