extension JSON {
  /// Reads one JSON value and nothing behind it; the grammar is `JSONScanner`'s. Numbers become `decimal`, and keep
  /// their text. A name that stands twice in an object is refused, because readers differ in which one they take.
  ///
  /// - Throws: `JSONError`.
  public init(parsing bytes: [UInt8]) throws(JSONError) {
    var scanner = JSONScanner(bytes)
    guard let token = try scanner.next() else { throw scanner.error("expected a value") }
    self = try Self.value(token, &scanner)
    _ = try scanner.next()
  }

  /// As deep as the scanner lets brackets nest.
  private static func value(_ token: JSONScanner.Token, _ scanner: inout JSONScanner) throws(JSONError)
    -> JSON
  {
    switch token {
    case .null: return .null
    case .bool(let value): return .bool(value)
    case .string: return .string(scanner.string)
    case .number: return .decimal(scanner.string)
    case .beginArray:
      var elements: [JSON] = []
      while let token = try scanner.next(), token != .endArray {
        elements.append(try value(token, &scanner))
      }
      return .array(elements)
    case .beginObject:
      var members: [(key: String, value: JSON)] = []
      // By bytes: Swift takes strings for equal that are so canonically.
      var names: Set<[UInt8]> = []
      while let token = try scanner.next(), token == .key {
        // A copy: the scanner's own array has room for the longest text so far.
        let bytes = scanner.text.withUnsafeBufferPointer { Array($0) }
        guard names.insert(bytes).inserted else { throw scanner.error("the name stands there twice") }
        let name = scanner.string
        guard let token = try scanner.next() else { throw scanner.error("expected a value") }
        members.append((name, try value(token, &scanner)))
      }
      return .object(members)
    case .key, .endArray, .endObject: throw scanner.error("expected a value")
    }
  }
}
