/// 64 bits that stand for a key: a multiply-and-fold hash over its bytes (after wyhash by Wang Yi), with a seed, so that
/// nobody can choose keys that meet in one place.
///
/// Bytes, not characters: Swift takes two spellings of "é" for equal, Redis does not.
struct Fingerprint {
  private let seed: UInt64

  /// - Parameter seed: random, except where a run must be repeatable.
  init(seed: UInt64) {
    self.seed = seed
  }

  @inline(__always) func callAsFunction(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    var state = seed ^ UInt64(bytes.count) &* 0x9E37_79B9_7F4A_7C15
    var index = 0
    while index + 8 <= bytes.count {
      state = fold(state ^ bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self), 0xA076_1D64_78BD_642F)
      index += 8
    }
    var rest: UInt64 = 0
    while index < bytes.count {
      rest = rest << 8 | UInt64(bytes[index])
      index += 1
    }
    return fold(fold(state ^ rest, 0xE703_7ED1_A0B4_28DB), seed ^ 0x8EBC_6AF0_9C88_C6E3)
  }

  @inline(__always) private func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let (high, low) = a.multipliedFullWidth(by: b)
    return high ^ low
  }
}
