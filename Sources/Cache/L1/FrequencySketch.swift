/// How often keys came lately, estimated in four bits a key: a count-min sketch whose counters are halved from time to
/// time (Einziger, Friedman and Manes, "TinyLFU", 2017). The four counters of a key lie in one cache line.
struct FrequencySketch {
  /// Sixteen counters of four bits each.
  private let words: UnsafeMutablePointer<UInt64>
  private let wordCount: Int
  /// Lines of eight words, a power of two.
  private let lineMask: UInt64
  private let additionsMax: Int
  private var additions = 0

  init(capacity: Int, in arena: Arena) {
    var lines = 16
    while lines * 8 < capacity { lines *= 2 }
    lineMask = UInt64(lines - 1)
    wordCount = lines * 8
    words = arena.zeroed(UInt64.self, count: wordCount)
    additionsMax = 10 * max(capacity, 128)
  }

  /// 0 to 15.
  func estimate(_ fingerprint: UInt64) -> UInt64 {
    let (base, bits) = line(of: fingerprint)
    var lowest: UInt64 = 15
    for row in 0..<4 {
      let (word, shift) = counter(row, base, bits)
      lowest = min(lowest, words[word] >> shift & 15)
    }
    return lowest
  }

  @inline(__always) mutating func add(_ fingerprint: UInt64) {
    let (base, bits) = line(of: fingerprint)
    var hasRisen = false
    for row in 0..<4 {
      let (word, shift) = counter(row, base, bits)
      if words[word] >> shift & 15 < 15 {
        words[word] &+= 1 << shift
        hasRisen = true
      }
    }
    guard hasRisen else { return }
    additions += 1
    if additions >= additionsMax { halve() }
  }

  @inline(__always) private func line(of fingerprint: UInt64) -> (base: Int, bits: UInt64) {
    // Bits other than those that place the key in the table.
    let mixed = (fingerprint ^ fingerprint >> 32) &* 0x9E37_79B9_7F4A_7C15
    return (Int(mixed >> 40 & lineMask) * 8, mixed)
  }

  /// Each row has two words of the line to itself: one bit chooses the word, four choose the counter in it.
  @inline(__always) private func counter(_ row: Int, _ base: Int, _ bits: UInt64) -> (Int, UInt64) {
    let choice = bits >> UInt64(row * 5)
    return (base + row * 2 + Int(choice & 1), (choice >> 1 & 15) * 4)
  }

  private mutating func halve() {
    var odd = 0
    for index in 0..<wordCount {
      odd += (words[index] & 0x1111_1111_1111_1111).nonzeroBitCount
      words[index] = words[index] >> 1 & 0x7777_7777_7777_7777
    }
    additions = additions / 2 - odd / 4
  }
}
