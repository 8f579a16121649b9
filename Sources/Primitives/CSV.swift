/// CSV as it is written (RFC 4180); `CSVParser` reads it.
public enum CSV {
  /// Between two fields.
  public static let separator = UInt8(ascii: ",")
  /// Behind every record, the last one included.
  public static let lineEnd: [UInt8] = [0x0D, 0x0A]

  /// Appends one field, in quotes where it needs them.
  public static func append(_ field: String, to out: inout [UInt8]) {
    var field = field
    field.withUTF8 { bytes in
      guard bytes.contains(where: { needsQuotes($0) }) else {
        out.append(contentsOf: bytes)
        return
      }
      out.append(quote)
      for byte in bytes {
        if byte == quote { out.append(byte) }
        out.append(byte)
      }
      out.append(quote)
    }
  }

  private static let quote = UInt8(ascii: "\"")

  private static func needsQuotes(_ byte: UInt8) -> Bool {
    byte == quote || byte == separator || byte == 0x0A || byte == 0x0D
  }
}
