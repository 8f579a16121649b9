/// Which of several keys a request is for.
public enum KeySkew: String, Sendable, Hashable, CaseIterable {
  /// Each as often as the others.
  case uniform
  /// The n-th key 1/n as often as the first (Zipf's law), as a few wallets are far busier than the rest.
  case zipf
}

/// Draws keys by their likelihood.
struct KeyChoice: Sendable {
  /// Upper bounds of each key's share of 0 to 1; empty for keys that are equally likely.
  private let bounds: [Double]
  private let count: Int

  /// - Parameter count: of the keys, 1 or more.
  init(_ skew: KeySkew, among count: Int) {
    self.count = count
    guard skew == .zipf else {
      bounds = []
      return
    }
    var sum = 0.0
    let sums = (1...count).map { rank in
      sum += 1 / Double(rank)
      return sum
    }
    bounds = sums.map { $0 / sum }
  }

  /// The place of a key, for a number from 0 up to, but not, 1.
  func place(_ draw: Double) -> Int {
    guard !bounds.isEmpty else { return min(count - 1, Int(draw * Double(count))) }
    var (low, high) = (0, count - 1)
    while low < high {
      let middle = (low + high) / 2
      if bounds[middle] > draw { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
