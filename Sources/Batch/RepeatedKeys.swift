/// Which keys of a file stand in it more than once, or are named by the `ref` of another row, found in bounded memory.
///
/// The file is read once more than it is carried out, before any money moves. A Bloom filter (Bloom 1970) of the
/// words seen so far tells which are seen for the second time, and a few more by mistake: these are candidates. Only
/// for candidates is it remembered, while the file is carried out, whether an earlier row has taken the key.
///
/// Words are told apart by 64 bits of a hash with a random seed.
struct RepeatedKeys {
  /// 8 MiB of filter: sixteen bits a word for four million of them, which makes one candidate by mistake in a thousand.
  private static let filterBits: UInt64 = 1 << 26
  /// The most candidates that are kept.
  static let candidatesMax = 1 << 20

  private var filter: [UInt64] = []
  private var candidates: Set<UInt64> = []
  private var taken: Set<UInt64> = []
  /// Which part of all words is looked at, of how many.
  private var part: UInt64 = 0
  private var partCount: UInt64 = 1
  /// Whether there were more candidates than are kept.
  private(set) var isOverfull = false

  /// Looks at a key or a `ref`.
  mutating func note(_ word: ArraySlice<UInt8>) {
    let hash = Self.hash(word)
    guard hash % partCount == part, !isOverfull else { return }
    if filter.isEmpty { filter = [UInt64](repeating: 0, count: Int(Self.filterBits / 64)) }
    // Three bits by double hashing (Kirsch and Mitzenmacher, 2006).
    let step = hash >> 32 | 1
    var isKnown = true
    for index in 0..<3 as Range<UInt64> {
      let bit = (hash &+ index &* step) % Self.filterBits
      let (word, mask) = (Int(bit / 64), 1 as UInt64 << (bit % 64))
      if filter[word] & mask == 0 {
        isKnown = false
        filter[word] |= mask
      }
    }
    if isKnown { candidates.insert(hash) }
    if candidates.count > Self.candidatesMax { isOverfull = true }
  }

  /// Begins to look at one part of all words, with an empty filter; what was found in other parts is kept.
  mutating func begin(part: Int, of count: Int) {
    if part == 0 {
      candidates = []
      isOverfull = false
    }
    self.part = UInt64(part)
    partCount = UInt64(count)
    filter = []
  }

  /// Lets the filter go, when the whole file was looked at.
  mutating func finish() { filter = [] }

  /// Whether the key stands in the file and was not taken by a row so far, as far as that matters to anybody.
  func isFree(_ key: String) -> Bool {
    if candidates.isEmpty { return false }
    let hash = Self.hash(key)
    return candidates.contains(hash) && !taken.contains(hash)
  }

  /// Whether an earlier row has taken the key.
  func isTaken(_ key: String) -> Bool { !taken.isEmpty && taken.contains(Self.hash(key)) }

  /// A row has stored something under its key, now or in an earlier run.
  mutating func take(_ key: String) {
    if candidates.isEmpty { return }
    let hash = Self.hash(key)
    if candidates.contains(hash) { taken.insert(hash) }
  }

  private static func hash(_ key: String) -> UInt64 {
    var key = key
    return key.withUTF8 { hash(UnsafeRawBufferPointer($0)) }
  }

  private static func hash(_ word: ArraySlice<UInt8>) -> UInt64 { word.withUnsafeBytes { hash($0) } }

  private static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    var hasher = Hasher()
    hasher.combine(bytes: bytes)
    return UInt64(bitPattern: Int64(hasher.finalize()))
  }
}
