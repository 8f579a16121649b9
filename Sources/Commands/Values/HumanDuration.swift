import ArgumentParser
import Primitives

/// A length of time as people write it: `7d`, `15m`, `1h30m`, `10s`, `500ms`.
struct HumanDuration: Sendable, Hashable, ExpressibleByArgument, CustomStringConvertible {
  /// The length.
  let duration: Duration

  /// Whole numbers, each with its unit, larger units first; nil for anything else, and over a hundred years.
  init?(argument: String) {
    guard let duration = Duration(text: argument) else { return nil }
    self.duration = duration
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
