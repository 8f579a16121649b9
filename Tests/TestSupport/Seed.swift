/// SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators"): the same seed always gives
/// the same run, so that a failure that prints its seed can be seen again.
public struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  public init(seed: UInt64) { state = seed }

  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
}

/// Seeds for a property test: fixed ones, which ran well before, and fresh ones.
public func seeds(fresh: Int) -> [UInt64] {
  [1, 2, 3] + (0..<fresh).map { _ in UInt64.random(in: .min ... .max) }
}
