/// The binary form of `numeric` for whole numbers of up to 38 digits: base-10,000 digits, most significant
/// first, behind a header of digit count, weight, sign and display scale (`numeric_send` in
/// `src/backend/utils/adt/numeric.c`).
enum NumericFormat {
  private static let negative: UInt16 = 0x4000

  static func encode(_ value: Int128, into bytes: inout [UInt8]) {
    var magnitude = value.magnitude
    // 2^128 has 39 decimal digits: ten groups of four hold it.
    var groups: (UInt64, UInt64, UInt64) = (0, 0, 0)
    // Three machine words of four groups each: dividing a 128-bit number is slow, dividing 64 bits is not.
    let base: UInt128 = 10_000_000_000_000_000
    groups.2 = UInt64(magnitude % base)
    magnitude /= base
    groups.1 = UInt64(magnitude % base)
    groups.0 = UInt64(magnitude / base)

    withUnsafeTemporaryAllocation(of: UInt16.self, capacity: 12) { digits in
      for (word, part) in [groups.0, groups.1, groups.2].enumerated() {
        var rest = part
        for index in stride(from: word * 4 + 3, through: word * 4, by: -1) {
          digits[index] = UInt16(rest % 10_000)
          rest /= 10_000
        }
      }
      var first = 0
      while first < 12, digits[first] == 0 { first += 1 }
      var last = 12
      while last > first, digits[last - 1] == 0 { last -= 1 }
      appendBigEndian(Int16(last - first), to: &bytes)
      appendBigEndian(Int16(first < 12 ? 11 - first : 0), to: &bytes)
      appendBigEndian(value < 0 ? negative : 0, to: &bytes)
      appendBigEndian(Int16(0), to: &bytes)
      for index in first..<last { appendBigEndian(digits[index], to: &bytes) }
    }
  }

  /// Nil when the bytes are no number (`NaN`, infinity), have a fraction, or do not fit.
  static func decode(_ bytes: UnsafeRawBufferPointer) -> Int128? {
    guard bytes.count >= 8 else { return nil }
    func word(_ index: Int) -> UInt16 {
      UInt16(bytes[index * 2]) << 8 | UInt16(bytes[index * 2 + 1])
    }
    let count = Int(word(0))
    let weight = Int(Int16(bitPattern: word(1)))
    let sign = word(2)
    guard sign == 0 || sign == negative, bytes.count == 8 + count * 2 else { return nil }
    if count == 0 { return 0 }
    guard weight >= count - 1, weight <= 9 else { return nil }
    // Built up on its own side of zero: the least value has no positive counterpart.
    let isNegative = sign == negative
    var value: Int128 = 0
    for index in 0...weight {
      let digit = index < count ? Int128(word(4 + index)) : 0
      let (scaled, overflow) = value.multipliedReportingOverflow(by: 10_000)
      let (sum, tooLarge) =
        isNegative ? scaled.subtractingReportingOverflow(digit) : scaled.addingReportingOverflow(digit)
      guard !overflow, !tooLarge else { return nil }
      value = sum
    }
    return value
  }
}
