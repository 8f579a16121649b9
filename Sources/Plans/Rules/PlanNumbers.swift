/// Numbers as findings and trees print them, three digits or so.
public enum PlanNumbers {
  /// `812`, `45.6 k`, `1.23 M`
  public static func count(_ value: Double) -> String {
    guard value.isFinite else { return "?" }
    if value > 0, value < 10, value != value.rounded() { return fixed(value, value < 1 ? 2 : 1) }
    if value < 10_000 { return fixed(value, 0) }
    for (unit, size) in [("k", 1e3), ("M", 1e6), ("G", 1e9), ("T", 1e12)] where value < size * 1000 {
      return scaled(value / size) + " " + unit
    }
    return ">1000 T"
  }

  /// `1 row`, `2 rows`, `0.5 rows`
  public static func count(_ value: Double, _ noun: String) -> String {
    "\(count(value)) \(noun)\(value == 1 ? "" : "s")"
  }

  /// `0.012 ms`, `3.4 ms`, `812 ms`, `1.23 s`, `3 min 20 s`
  public static func time(_ milliseconds: Double) -> String {
    guard milliseconds.isFinite else { return "?" }
    if milliseconds < 0.0005 { return "0 ms" }
    if milliseconds < 1 { return fixed(milliseconds, 3) + " ms" }
    if milliseconds < 999.5 { return scaled(milliseconds) + " ms" }
    if milliseconds < 59_950 { return scaled(milliseconds / 1000) + " s" }
    if milliseconds < 3_600_000 * 1000 {
      let seconds = Int(milliseconds / 1000)
      return seconds < 3600
        ? "\(seconds / 60) min \(seconds % 60) s" : "\(seconds / 3600) h \(seconds % 3600 / 60) min"
    }
    return ">1000 h"
  }

  /// `812 kB`, `1.2 MB`, of pages of 8 kB.
  public static func pages(_ count: Int) -> String { kilobytes(Double(count) * 8) }

  public static func kilobytes(_ value: Double) -> String {
    guard value.isFinite else { return "?" }
    if value < 1000 { return fixed(value, 0) + " kB" }
    for (unit, size) in [("MB", 1024.0), ("GB", 1_048_576.0), ("TB", 1_073_741_824.0)]
    where value < size * 1000 {
      return scaled(value / size) + " " + unit
    }
    return ">1000 TB"
  }

  /// A part of a whole: `0.3 %`, `45 %`.
  public static func share(_ part: Double) -> String {
    let percent = min(1, max(0, part)) * 100
    return fixed(percent, percent < 9.95 && percent > 0 ? 1 : 0) + " %"
  }

  /// How far off an estimate is: `120` times too few, or too many.
  public static func factor(_ error: Double) -> String { count(error < 1 ? 1 / error : error) }

  private static func scaled(_ value: Double) -> String {
    fixed(value, value < 9.995 ? 2 : value < 99.95 ? 1 : 0)
  }

  /// With so many digits behind the point.
  static func fixed(_ value: Double, _ digits: Int) -> String {
    guard value.isFinite, abs(value) < 1e15 else { return "?" }
    var unit = 1.0
    for _ in 0..<digits { unit *= 10 }
    let units = Int64((abs(value) * unit).rounded())
    let whole = units / Int64(unit)
    let sign = value < 0 && units > 0 ? "-" : ""
    guard digits > 0 else { return "\(sign)\(whole)" }
    let rest = String(units % Int64(unit))
    return "\(sign)\(whole)." + String(repeating: "0", count: digits - rest.count) + rest
  }
}
