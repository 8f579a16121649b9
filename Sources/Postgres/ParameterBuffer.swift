/// The parameters of one statement in libpq's shape: one buffer, and pointers into it.
struct ParameterBuffer {
  private var bytes: [UInt8] = []
  /// Start and length of each value; nil for NULL.
  private var ranges: [Range<Int>?] = []
  /// 1 for binary, 0 for text.
  private var formats: [Int32] = []

  init(_ bound: BoundStatement) throws(PostgresError) {
    let declared = bound.statement.parameters
    guard declared.count == bound.values.count else {
      throw .misuse(
        "\(bound.values.count) values for \(declared.count) parameters of: \(bound.statement.sql)")
    }
    ranges.reserveCapacity(declared.count)
    for (value, type) in zip(bound.values, declared) {
      let text = Swift.type(of: value) == TextValue.self ? value as? TextValue : nil
      guard text?.type ?? Swift.type(of: value).postgresType == type else {
        throw .misuse("a value of type \(Swift.type(of: value)) for a parameter of type \(type)")
      }
      formats.append(text == nil ? 1 : 0)
      let start = bytes.count
      ranges.append(value.encode(into: &bytes) ? start..<bytes.count : nil)
    }
    // An empty value must still have an address: nil means NULL to libpq.
    bytes.append(0)
  }

  func withPointers(
    _ body: (
      Int32, UnsafePointer<UnsafePointer<CChar>?>, UnsafePointer<Int32>, UnsafePointer<Int32>
    ) -> Int32
  ) -> Int32 {
    let lengths = ranges.map { Int32(clamping: $0?.count ?? 0) }
    return bytes.withUnsafeBytes { raw in
      let base = raw.assumingMemoryBound(to: CChar.self).baseAddress
      let values = ranges.map { range in range.flatMap { base?.advanced(by: $0.lowerBound) } }
      return body(Int32(clamping: ranges.count), values, lengths, formats)
    }
  }
}
