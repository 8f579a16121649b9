/// Exact amounts: whole numbers of minor units, with the scale of their currency kept apart.
public enum Amount {
  /// The largest magnitude of an amount or a balance in minor units: 38 nines, what `numeric(38,0)` holds.
  public static let limit: Int128 = 99_999_999_999_999_999_999_999_999_999_999_999_999

  /// Reads a plain decimal such as `12.5`: ASCII digits, at most one point with digits on both sides. No sign,
  /// no exponent, no blanks, no separators; nothing is rounded.
  ///
  /// - Parameter scale: the currency's digits after the point; 18, the largest, when the currency is unknown.
  /// - Throws: `amount_invalid`, `amount_not_positive`, `amount_precision_exceeded` or `amount_out_of_range`,
  ///   in this order.
  public static func parse(_ text: some StringProtocol, scale: Int) throws(ResultCode) -> Int128 {
    var whole: Int128 = 0
    var isTooLarge = false
    var isZero = true
    var digitsBefore = 0
    var digitsAfter = 0
    var hasPoint = false
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"):
        if hasPoint { digitsAfter += 1 } else { digitsBefore += 1 }
        if byte != UInt8(ascii: "0") { isZero = false }
        // Digits beyond the scale are refused below; they must not make the value overflow before.
        if !hasPoint || digitsAfter <= scale {
          isTooLarge = !append(Int128(byte - UInt8(ascii: "0")), to: &whole) || isTooLarge
        }
      case UInt8(ascii: ".") where !hasPoint: hasPoint = true
      default: throw .amountInvalid
      }
    }
    guard digitsBefore > 0, !hasPoint || digitsAfter > 0 else { throw .amountInvalid }
    if isZero { throw .amountNotPositive }
    if digitsAfter > scale { throw .amountPrecisionExceeded }
    for _ in digitsAfter..<scale where !isTooLarge { isTooLarge = !append(0, to: &whole) }
    if isTooLarge { throw .amountOutOfRange }
    return whole
  }

  /// Minor units as a decimal with exactly `scale` digits after the point: `12500000` at 6 is `12.500000`.
  public static func format(_ minorUnits: Int128, scale: Int) -> String {
    var digits = String(minorUnits.magnitude)
    if scale > 0 {
      if digits.utf8.count <= scale {
        digits = String(repeating: "0", count: scale + 1 - digits.utf8.count) + digits
      }
      digits.insert(".", at: digits.index(digits.endIndex, offsetBy: -scale))
    }
    return minorUnits < 0 ? "-" + digits : digits
  }

  /// The sum, or nil where it leaves the range of ±`limit`.
  public static func sum(_ a: Int128, _ b: Int128) -> Int128? {
    let (sum, overflow) = a.addingReportingOverflow(b)
    return overflow || sum > limit || sum < -limit ? nil : sum
  }

  /// Appends a decimal digit; false where the number would pass the limit.
  private static func append(_ digit: Int128, to number: inout Int128) -> Bool {
    guard number <= (limit - digit) / 10 else { return false }
    number = number * 10 + digit
    return true
  }
}
