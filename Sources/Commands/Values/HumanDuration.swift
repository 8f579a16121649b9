import ArgumentParser

/// A length of time as people write it: `7d`, `15m`, `1h30m`, `10s`, `500ms`.
struct HumanDuration: Sendable, Hashable, ExpressibleByArgument, CustomStringConvertible {
  /// The length.
  let duration: Duration

  /// Largest first, as they follow each other in a text; milliseconds before minutes, whose unit begins the same.
  private static let units: [(name: String, milliseconds: Int64)] = [
    ("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1),
  ]

  /// The longest that is read: a hundred years.
  private static let limit: Int64 = 36_525 * 86_400_000

  /// Whole numbers, each with its unit, larger units first; nil for anything else, and over a hundred years.
  init?(argument: String) {
    var rest = argument.utf8[...]
    var total: Int64 = 0
    var unitsLeft = Self.units[...]
    guard !rest.isEmpty else { return nil }
    while !rest.isEmpty {
      let digits = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
      let name = rest[digits.endIndex...].prefix { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) }
      guard (1...15).contains(digits.count), let number = Int64(String(digits) ?? ""),
        let index = unitsLeft.firstIndex(where: { $0.name.utf8.elementsEqual(name) })
      else { return nil }
      let (part, isTooLong) = number.multipliedReportingOverflow(by: unitsLeft[index].milliseconds)
      guard !isTooLong, part <= Self.limit - total else { return nil }
      total += part
      unitsLeft = unitsLeft[(index + 1)...]
      rest = rest[name.endIndex...]
    }
    duration = .milliseconds(total)
  }

  /// A default of an option.
  init(seconds: Int64) { duration = .seconds(seconds) }

  var description: String { humanDuration(duration) }

  static var defaultCompletionKind: CompletionKind { .default }
}

/// A duration for people, two units at most: `12 ms`, `1.5 s`, `3 min 20 s`, `2 d 4 h`.
func humanDuration(_ duration: Duration) -> String {
  let (seconds, attoseconds) = duration.components
  if seconds < 0 { return "0 ms" }
  let milliseconds = attoseconds / 1_000_000_000_000_000
  switch seconds {
  case 0:
    if milliseconds == 0 { return attoseconds == 0 ? "0 ms" : "\(attoseconds / 1_000_000_000_000) µs" }
    return "\(milliseconds) ms"
  case 1..<10: return milliseconds < 100 ? "\(seconds) s" : "\(seconds).\(milliseconds / 100) s"
  case 10..<60: return "\(seconds) s"
  case 60..<3600: return pair(seconds / 60, "min", seconds % 60, "s")
  case 3600..<86_400: return pair(seconds / 3600, "h", seconds % 3600 / 60, "min")
  default: return pair(seconds / 86_400, "d", seconds % 86_400 / 3600, "h")
  }
}

private func pair(_ large: Int64, _ largeUnit: String, _ small: Int64, _ smallUnit: String) -> String {
  small == 0 ? "\(large) \(largeUnit)" : "\(large) \(largeUnit) \(small) \(smallUnit)"
}
