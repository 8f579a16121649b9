extension Duration {
  /// Largest first, as they follow each other in a text; milliseconds before minutes, whose unit begins the same.
  private static let units: [(name: String, milliseconds: Int64)] = [
    ("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1),
  ]

  /// The longest that is read, in milliseconds: a hundred years.
  private static let textLimit: Int64 = 36_525 * 86_400_000

  /// A length of time as people write it: `7d`, `15m`, `1h30m`, `10s`, `500ms`. Whole numbers, each with its unit,
  /// larger units first; nil for anything else, and over a hundred years.
  public init?(text: some StringProtocol) {
    var rest = Array(text.utf8)[...]
    var total: Int64 = 0
    var unitsLeft = Self.units[...]
    guard !rest.isEmpty else { return nil }
    while !rest.isEmpty {
      let digits = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
      let name = rest[digits.endIndex...].prefix { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) }
      guard (1...15).contains(digits.count), let number = Int64(String(decoding: digits, as: UTF8.self)),
        let index = unitsLeft.firstIndex(where: { $0.name.utf8.elementsEqual(name) })
      else { return nil }
      let (part, isTooLong) = number.multipliedReportingOverflow(by: unitsLeft[index].milliseconds)
      guard !isTooLong, part <= Self.textLimit - total else { return nil }
      total += part
      unitsLeft = unitsLeft[(index + 1)...]
      rest = rest[name.endIndex...]
    }
    self = .milliseconds(total)
  }
}
