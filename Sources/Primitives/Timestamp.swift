#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A moment as whole microseconds since 1970-01-01T00:00:00Z, the resolution of PostgreSQL's `timestamptz`.
public struct Timestamp: Hashable, Sendable, Comparable, CustomStringConvertible {
  public var microseconds: Int64

  public init(microseconds: Int64) {
    self.microseconds = microseconds
  }

  public static func < (a: Timestamp, b: Timestamp) -> Bool { a.microseconds < b.microseconds }

  /// The moment so much later, in whole microseconds; the last one there is where it would be beyond.
  public static func + (moment: Timestamp, duration: Duration) -> Timestamp {
    let (seconds, attoseconds) = duration.components
    let (micros, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
    let (sum, overflowToo) = micros.addingReportingOverflow(attoseconds / 1_000_000_000_000)
    let (total, overflowAgain) = moment.microseconds.addingReportingOverflow(sum)
    let isBeyond = overflow || overflowToo || overflowAgain
    return Timestamp(microseconds: isBeyond ? (seconds < 0 ? .min : .max) : total)
  }

  /// How much later `a` is; clamped where that has no number of microseconds.
  public static func - (a: Timestamp, b: Timestamp) -> Duration {
    let (difference, overflow) = a.microseconds.subtractingReportingOverflow(b.microseconds)
    return .microseconds(overflow ? (a < b ? .min : .max) : difference)
  }

  /// The wall clock.
  public static func now() -> Timestamp {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
  }

  /// RFC 3339 in UTC with six digits of a second: `2026-11-23T04:05:06.000007Z`.
  public var description: String {
    var text: [UInt8] = []
    append(to: &text)
    return String(decoding: text, as: UTF8.self)
  }

  /// For people, in sentences: `2026-11-23 04:05 UTC`.
  public var minute: String {
    let text = description
    guard let time = text.firstIndex(of: "T") else { return text }
    return "\(text[..<time]) \(text[time...].dropFirst().prefix(5)) UTC"
  }

  /// For people, in tables: `2026-11-23T04:05:06Z`, cut to the second.
  public var second: String { description.prefix { $0 != "." } + "Z" }

  /// Appends the text of ``description`` in ASCII, for rows by the million.
  public func append(to out: inout [UInt8]) {
    let day = Int64(86_400_000_000)
    var days = microseconds / day
    var rest = microseconds % day
    if rest < 0 {
      rest += day
      days -= 1
    }
    let (year, month, dayOfMonth) = Self.civil(fromDays: days)
    let seconds = rest / 1_000_000
    func number(_ value: Int64, _ width: Int, _ end: Unicode.Scalar) {
      guard (0..<10_000_000).contains(value) else {
        // A year of six digits, or one before Christ.
        let digits = String(value)
        out.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: max(0, width - digits.utf8.count)))
        out.append(contentsOf: digits.utf8)
        out.append(UInt8(ascii: end))
        return
      }
      var width = width
      while value >= Self.powersOfTen[width] { width += 1 }
      for place in stride(from: width - 1, through: 0, by: -1) {
        out.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value / Self.powersOfTen[place] % 10))
      }
      out.append(UInt8(ascii: end))
    }
    number(year, 4, "-")
    number(month, 2, "-")
    number(dayOfMonth, 2, "T")
    number(seconds / 3600, 2, ":")
    number(seconds / 60 % 60, 2, ":")
    number(seconds % 60, 2, ".")
    number(rest % 1_000_000, 6, "Z")
  }

  private static let powersOfTen: [Int64] = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000]

  /// Reads RFC 3339: `2026-11-23`, or a date and a time with `Z`, an offset or nothing (UTC), up to six digits
  /// of a second; `T` may be a blank. Nil for anything else.
  public init?(rfc3339 text: some StringProtocol) {
    var scanner = DigitScanner(Array(text.utf8))
    guard let year = scanner.number(4), scanner.skip("-"), let month = scanner.number(2), scanner.skip("-"),
      let day = scanner.number(2), (1...12).contains(month),
      (1...Self.daysIn(month: month, year: year)).contains(day)
    else { return nil }
    var total = Self.days(fromCivil: year, month, day) * 86_400_000_000
    if !scanner.isAtEnd {
      guard scanner.skip("T") || scanner.skip("t") || scanner.skip(" "),
        let hour = scanner.number(2), hour < 24, scanner.skip(":"),
        let minute = scanner.number(2), minute < 60
      else { return nil }
      total += (hour * 3600 + minute * 60) * 1_000_000
      if scanner.skip(":") {
        guard let second = scanner.number(2), second < 60 else { return nil }
        total += second * 1_000_000
        if scanner.skip(".") {
          guard let fraction = scanner.fraction(6) else { return nil }
          total += fraction
        }
      }
      guard let offset = scanner.offsetSeconds(), scanner.isAtEnd else { return nil }
      total -= offset * 1_000_000
    }
    self.init(microseconds: total)
  }

  // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": proleptic Gregorian, eras of 400 years.
  private static func civil(fromDays days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
    let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
  }

  private static func days(fromCivil year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
    let shifted = month <= 2 ? year - 1 : year
    let era = (shifted >= 0 ? shifted : shifted - 399) / 400
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
  }

  private static func daysIn(month: Int64, year: Int64) -> Int64 {
    switch month {
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }
}

/// Reads fixed-width ASCII digits; nothing else counts as a digit.
private struct DigitScanner {
  private let bytes: [UInt8]
  private var position = 0

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
  }

  var isAtEnd: Bool { position == bytes.count }

  mutating func skip(_ character: Unicode.Scalar) -> Bool {
    guard position < bytes.count, bytes[position] == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  mutating func number(_ width: Int) -> Int64? {
    guard position + width <= bytes.count else { return nil }
    var value: Int64 = 0
    for byte in bytes[position..<position + width] {
      guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
      value = value * 10 + Int64(byte - UInt8(ascii: "0"))
    }
    position += width
    return value
  }

  /// One to `width` digits, scaled as if all `width` had been written.
  mutating func fraction(_ width: Int) -> Int64? {
    var value: Int64 = 0
    var count = 0
    while count < width, let digit = number(1) {
      value = value * 10 + digit
      count += 1
    }
    guard count > 0 else { return nil }
    for _ in count..<width { value *= 10 }
    return value
  }

  /// `Z`, `±hh:mm`, or nothing, which means UTC.
  mutating func offsetSeconds() -> Int64? {
    if isAtEnd || skip("Z") || skip("z") { return 0 }
    let sign: Int64
    if skip("+") { sign = 1 } else if skip("-") { sign = -1 } else { return nil }
    guard let hour = number(2), hour < 24, skip(":"), let minute = number(2), minute < 60 else { return nil }
    return sign * (hour * 3600 + minute * 60)
  }
}
