/// A word of an expression as `pg_get_expr` prints it.
enum PredicateToken: Hashable {
  /// A keyword, a type, a function or a column; a quoted name keeps its quotes.
  case word(String)
  case number(String)
  /// With its quotes.
  case string(String)
  /// An operator, `::`, or one of `( ) [ ] , .`.
  case symbol(String)

  var text: String {
    switch self {
    case .word(let text), .number(let text), .string(let text), .symbol(let text): text
    }
  }

  /// Whether it is this keyword; the server prints them in capitals.
  func isKeyword(_ keyword: String) -> Bool { self == .word(keyword) }

  func isSymbol(_ symbol: String) -> Bool { self == .symbol(symbol) }
}

extension PredicateToken {
  private static let operators = Set("+-*/<>=~!@#%^&|`?".utf8)

  /// The tokens of a text; nil for one that does not end where it should.
  static func all(in text: String) -> [PredicateToken]? {
    var tokens: [PredicateToken] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.first {
      switch byte {
      case UInt8(ascii: " "), UInt8(ascii: "\n"), UInt8(ascii: "\t"): rest.removeFirst()
      case UInt8(ascii: "'"):
        guard let token = takeQuoted(&rest, hasEscapes: false) else { return nil }
        tokens.append(.string(token))
      case UInt8(ascii: "E") where rest.dropFirst().first == UInt8(ascii: "'"):
        rest.removeFirst()
        guard let token = takeQuoted(&rest, hasEscapes: true) else { return nil }
        tokens.append(.string("E" + token))
      case UInt8(ascii: "\""):
        guard let token = takeQuoted(&rest, hasEscapes: false) else { return nil }
        tokens.append(.word(token))
      case UInt8(ascii: "0")...UInt8(ascii: "9"):
        tokens.append(
          .number(take(&rest) { isDigit($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "e") }))
      case UInt8(ascii: ":"):
        tokens.append(.symbol(take(&rest) { $0 == UInt8(ascii: ":") }))
      case let byte where operators.contains(byte):
        tokens.append(.symbol(take(&rest) { operators.contains($0) }))
      case let byte where isLetter(byte):
        tokens.append(.word(take(&rest) { isLetter($0) || isDigit($0) || $0 == UInt8(ascii: "$") }))
      default:
        tokens.append(.symbol(String(decoding: [byte], as: UTF8.self)))
        rest.removeFirst()
      }
    }
    return tokens
  }

  private static func take(_ rest: inout ArraySlice<UInt8>, while isPart: (UInt8) -> Bool) -> String {
    let part = rest.prefix(while: isPart)
    rest = rest[part.endIndex...]
    return String(decoding: part, as: UTF8.self)
  }

  /// From one quote to the next that is not doubled, nor escaped.
  private static func takeQuoted(_ rest: inout ArraySlice<UInt8>, hasEscapes: Bool) -> String? {
    let quote = rest[rest.startIndex]
    var end = rest.startIndex + 1
    while end < rest.endIndex {
      if hasEscapes, rest[end] == UInt8(ascii: "\\") {
        end += 2
      } else if rest[end] != quote {
        end += 1
      } else if end + 1 < rest.endIndex, rest[end + 1] == quote {
        end += 2
      } else {
        let text = String(decoding: rest[...end], as: UTF8.self)
        rest = rest[(end + 1)...]
        return text
      }
    }
    return nil
  }

  private static func isDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
      || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) || byte == UInt8(ascii: "_") || byte >= 0x80
  }
}
