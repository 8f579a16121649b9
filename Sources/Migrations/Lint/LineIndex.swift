/// Where the lines of a text end, for a text in which much has a place.
struct LineIndex {
  private let places: [Int]

  init(_ text: String) {
    places = text.utf8.enumerated().compactMap { $1 == 0x0A ? $0 : nil }
  }

  /// How many lines end.
  var breaks: Int { places.count }

  /// How many of them end before a byte.
  func breaks(before offset: Int) -> Int {
    var (low, high) = (0, places.count)
    while low < high {
      let middle = low + (high - low) / 2
      if places[middle] < offset { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
