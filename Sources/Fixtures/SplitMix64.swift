/// A small, fast generator whose numbers depend on the seed alone (Steele, Lea and Flood, "Fast Splittable
/// Pseudorandom Number Generators", OOPSLA 2014). Not for secrets.
struct SplitMix64: RandomNumberGenerator, Sendable {
  private var state: UInt64

  /// - Parameter stream: tells apart generators of the same seed.
  init(seed: UInt64, stream: UInt64) {
    state = seed
    let start = next()
    state = start ^ stream &* 0xD1B5_4A32_D192_ED03
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var word = state
    word = (word ^ word >> 30) &* 0xBF58_476D_1CE4_E5B9
    word = (word ^ word >> 27) &* 0x94D0_49BB_1331_11EB
    return word ^ word >> 31
  }

  /// Below `bound`, which is positive. The bias of the remainder does not matter for made-up data.
  mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

  /// From 0 up to but not including 1.
  mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }
}
