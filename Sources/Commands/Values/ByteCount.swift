import ArgumentParser

/// A number of bytes as people write it: `8192`, `64kB`, `100MB`, `1.5GB`. A kB is 1024 bytes, as PostgreSQL counts.
struct ByteCount: Sendable, Hashable, ExpressibleByArgument, CustomStringConvertible {
  let bytes: Int64

  private static let units: [(name: String, bytes: Double)] = [
    ("tb", 1_099_511_627_776), ("gb", 1_073_741_824), ("mb", 1_048_576), ("kb", 1024), ("b", 1), ("", 1),
  ]

  /// A default of an option.
  init(bytes: Int64) { self.bytes = bytes }

  /// Nil for anything but a number with a unit, and over a petabyte.
  init?(argument: String) {
    let text = argument.lowercased()
    guard let unit = Self.units.first(where: { text.hasSuffix($0.name) }) else { return nil }
    var number = text.dropLast(unit.name.count)
    while number.last == " " { number.removeLast() }
    guard number.first?.isNumber == true, number.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ".") }),
      let value = Double(number)
    else { return nil }
    let bytes = (value * unit.bytes).rounded()
    guard bytes <= 1_125_899_906_842_624 else { return nil }
    self.bytes = Int64(bytes)
  }

  var description: String { humanSize(bytes: bytes) }
}
