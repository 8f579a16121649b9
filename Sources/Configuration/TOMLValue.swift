/// A value of a TOML text.
enum TOMLValue: Equatable {
  case string(String)
  case integer(Int)
  case number(Double)
  case boolean(Bool)
  case array([TOMLValue])
  /// Its members stand in the document under their own paths.
  case table
  case date

  /// Reads what stands without quotes or brackets; nil when it is none of TOML's scalars.
  init?(scalar text: some Collection<UInt8>) {
    let word = String(decoding: text, as: UTF8.self)
    switch word {
    case "true": self = .boolean(true)
    case "false": self = .boolean(false)
    case "inf", "+inf": self = .number(.infinity)
    case "-inf": self = .number(-.infinity)
    case "nan", "+nan", "-nan": self = .number(.nan)
    default:
      if let integer = Self.integer(word) {
        self = .integer(integer)
      } else if let number = Self.number(word) {
        self = .number(number)
      } else if Self.looksLikeDate(Array(text)) {
        self = .date
      } else {
        return nil
      }
    }
  }

  private static func integer(_ word: String) -> Int? {
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] where word.hasPrefix(prefix) {
      let digits = word.dropFirst(2)
      guard digits.first != "+", digits.first != "-" else { return nil }
      return withoutUnderscores(digits).flatMap { Int($0, radix: radix) }
    }
    let digits = word.first == "+" || word.first == "-" ? word.dropFirst() : word[...]
    guard isWhole(digits) else { return nil }
    return withoutUnderscores(word[...]).flatMap { Int($0) }
  }

  /// A whole part, then a fraction, an exponent or both.
  private static func number(_ word: String) -> Double? {
    let unsigned = word.first == "+" || word.first == "-" ? word.dropFirst() : word[...]
    let mantissa = unsigned.prefix { $0 != "e" && $0 != "E" }
    let parts = mantissa.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    guard let whole = parts.first, isWhole(whole) else { return nil }
    if parts.count == 2, !isDigits(parts[1]) { return nil }
    if mantissa.endIndex < unsigned.endIndex {
      let exponent = unsigned[mantissa.endIndex...].dropFirst()
      guard isDigits(exponent.first == "+" || exponent.first == "-" ? exponent.dropFirst() : exponent) else {
        return nil
      }
    } else if parts.count == 1 {
      return nil
    }
    return withoutUnderscores(word[...]).flatMap { Double($0) }
  }

  /// Digits without a leading zero, with single underscores between them.
  private static func isWhole(_ text: Substring) -> Bool {
    isDigits(text) && (text.first != "0" || text.utf8.count == 1)
  }

  private static func isDigits(_ text: Substring) -> Bool {
    !text.isEmpty && withoutUnderscores(text) != nil
      && text.utf8.allSatisfy { isDigit($0) || $0 == UInt8(ascii: "_") }
  }

  /// Nil when an underscore does not stand between two digits.
  private static func withoutUnderscores(_ text: Substring) -> String? {
    let parts = text.split(separator: "_", omittingEmptySubsequences: false)
    for (index, part) in parts.enumerated() {
      if index > 0, !(part.first?.isHexDigit ?? false) { return nil }
      if index < parts.count - 1, !(part.last?.isHexDigit ?? false) { return nil }
    }
    return parts.joined()
  }

  private static func looksLikeDate(_ text: [UInt8]) -> Bool {
    if text.count >= 10, text[4] == UInt8(ascii: "-"), text[7] == UInt8(ascii: "-") {
      return [0, 1, 2, 3, 5, 6, 8, 9].allSatisfy { isDigit(text[$0]) }
    }
    return text.count >= 8 && text[2] == UInt8(ascii: ":") && text[5] == UInt8(ascii: ":")
      && [0, 1, 3, 4, 6, 7].allSatisfy { isDigit(text[$0]) }
  }

  private static func isDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
  }
}
