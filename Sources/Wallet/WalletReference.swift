public import Primitives

/// How a person names a wallet (SPEC section 2.2). Nothing is looked up yet.
public enum WalletReference: Hashable, Sendable {
  /// By its id.
  case id(Identifier)
  /// By its address: lower-case hexadecimal digits behind `0x`.
  case address(String)
  /// By its owner's email and its name.
  case named(email: String, wallet: String)
  /// By something that no wallet can have as a name; kept to be shown.
  case malformed(String)

  /// Reads an id, an address with or without `0x` in either case, or `email/wallet-name`.
  public init(_ text: String) {
    if let id = Identifier(text) {
      self = .id(id)
    } else if let address = Self.normalized(address: text) {
      self = .address(address)
    } else if let at = text.firstIndex(of: "@"), let slash = text[at...].firstIndex(of: "/"),
      text.index(after: slash) < text.endIndex, !text.utf8.contains(0)
    {
      // An email's domain has no slash; a wallet's name may have one.
      self = .named(
        email: String(text[..<slash]), wallet: String(text[text.index(after: slash)...]))
    } else {
      self = .malformed(text)
    }
  }

  /// `0x` and 1 to 64 lower-case hexadecimal digits, from either case, with or without `0x`; nil for the rest.
  public static func normalized(address text: some StringProtocol) -> String? {
    var bytes = Array(text.utf8)
    if bytes.count > 2, bytes[0] == UInt8(ascii: "0"), bytes[1] | 0x20 == UInt8(ascii: "x") {
      bytes.removeFirst(2)
    }
    guard (1...64).contains(bytes.count), bytes.allSatisfy({ hexadecimalValue($0) != nil }) else {
      return nil
    }
    // Letters of hexadecimal digits become lower-case by this bit; digits have it set already.
    return "0x" + String(decoding: bytes.map { $0 | 0x20 }, as: UTF8.self)
  }
}
