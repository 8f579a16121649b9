/// CSV as it is written (RFC 4180); `CSVParser` reads it.
public enum CSV {
  /// Between two fields.
  public static let separator = UInt8(ascii: ",")
  /// Behind every record, the last one included.
  public static let lineEnd: [UInt8] = [0x0D, 0x0A]

  /// Appends one field, in quotes where it needs them.
  public static func append(_ field: some Collection<UInt8>, to out: inout [UInt8]) {
    guard field.contains(where: { needsQuotes($0) }) else {
      out.append(contentsOf: field)
      return
    }
    out.append(quote)
    for byte in field {
      if byte == quote { out.append(byte) }
      out.append(byte)
    }
    out.append(quote)
  }

  private static let quote = UInt8(ascii: "\"")

  private static func needsQuotes(_ byte: UInt8) -> Bool {
    byte == quote || byte == separator || byte == 0x0A || byte == 0x0D
  }
}
