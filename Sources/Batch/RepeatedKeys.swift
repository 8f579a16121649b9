/// Which keys of a file matter to more than one of its rows, found in bounded memory: keys that stand in it more than
/// once, and keys that the `ref` of another row names.
///
/// The file is read once before any money moves. A Bloom filter (Bloom 1970) of the words seen so far tells which are
/// seen again, and a few more by mistake. Only for these is it remembered, while the file is carried out, whether an
/// earlier row has taken the key.
///
/// Words are told apart by 64 bits of a hash with a random seed.
struct RepeatedKeys {
  /// How much memory it may take.
  struct Limits {
    /// 8 MiB of filter: sixteen bits a word for four million of them, which makes a mistake with one in a thousand.
    var filterBits: UInt64 = 1 << 26
    /// For how many words the filter is made.
    var wordsMax = 4_000_000
    /// The most keys that are kept.
    var keysMax = 1 << 20
  }
  let limits: Limits

  /// Tells a `ref` from a key in the filter.
  private static let refSalt: UInt64 = 0x9E37_79B9_7F4A_7C15

  private var filter: [UInt64] = []
  /// Keys that stand in the file again later, or behind a row that refers to them.
  private var repeated: Set<UInt64> = []
  /// Keys to which a later row refers, and refs that were taken for such by mistake.
  private var referred: Set<UInt64> = []
  private var taken: Set<UInt64> = []
  private var hasRefs = false
  /// Which part of all words is looked at, of how many.
  private var part: UInt64 = 0
  private var partCount: UInt64 = 1
  /// Whether there were more keys than are kept.
  private(set) var isOverfull = false

  init(limits: Limits = Limits()) { self.limits = limits }

  /// Looks at the next row.
  mutating func note(_ row: RowText) {
    if !row[.key].isEmpty { note(key: row[.key]) }
    if !row[.ref].isEmpty { note(ref: row[.ref]) }
  }

  private mutating func note(key: ArraySlice<UInt8>) {
    let hash = Self.hash(key)
    guard hash % partCount == part, !isOverfull else { return }
    let wasReferredTo = hasRefs && contains(hash ^ Self.refSalt)
    if insert(hash) || wasReferredTo { repeated.insert(hash) }
    if repeated.count > limits.keysMax { isOverfull = true }
  }

  private mutating func note(ref: ArraySlice<UInt8>) {
    let hash = Self.hash(ref)
    guard hash % partCount == part, !isOverfull else { return }
    hasRefs = true
    if contains(hash) { referred.insert(hash) }
    insert(hash ^ Self.refSalt)
    if referred.count > limits.keysMax { isOverfull = true }
  }

  /// Begins to look at one part of all words; what was found in earlier parts is kept.
  mutating func begin(part: Int, of count: Int) {
    if part == 0 { self = RepeatedKeys(limits: limits) }
    self.part = UInt64(part)
    partCount = UInt64(count)
    filter = []
  }

  /// Lets the filter go, when the whole file was looked at.
  mutating func finish() { filter = [] }

  /// Whether the key stands in the file more than once, or before a row that refers to it, or behind one.
  func matters(_ key: String) -> Bool {
    if repeated.isEmpty, referred.isEmpty { return false }
    let hash = Self.hash(key)
    return repeated.contains(hash) || referred.contains(hash)
  }

  /// Whether any key can be awaited or taken.
  var hasRepeated: Bool { !repeated.isEmpty }

  /// Whether a later row has the key, and no row so far has taken it.
  func isAwaited(_ key: String) -> Bool {
    if repeated.isEmpty { return false }
    let hash = Self.hash(key)
    return repeated.contains(hash) && !taken.contains(hash)
  }

  /// Whether an earlier row has taken the key, where the key stands in the file more than once.
  func isTaken(_ key: String) -> Bool { !taken.isEmpty && taken.contains(Self.hash(key)) }

  /// A row has stored something under its key, now or in an earlier run.
  mutating func take(_ key: String) {
    if repeated.isEmpty { return }
    let hash = Self.hash(key)
    if repeated.contains(hash) { taken.insert(hash) }
  }

  // MARK: The filter

  /// Three bits by double hashing (Kirsch and Mitzenmacher, 2006).
  private func bit(_ index: UInt64, _ hash: UInt64) -> (word: Int, mask: UInt64) {
    let bit = (hash &+ index &* (hash >> 32 | 1)) % limits.filterBits
    return (Int(bit / 64), 1 << (bit % 64))
  }

  private func contains(_ hash: UInt64) -> Bool {
    if filter.isEmpty { return false }
    return (0..<3 as Range<UInt64>).allSatisfy { index in
      let (word, mask) = bit(index, hash)
      return filter[word] & mask != 0
    }
  }

  /// Returns whether it was there already, as far as the filter can tell.
  @discardableResult
  private mutating func insert(_ hash: UInt64) -> Bool {
    if filter.isEmpty { filter = [UInt64](repeating: 0, count: Int(limits.filterBits / 64)) }
    var wasThere = true
    for index in 0..<3 as Range<UInt64> {
      let (word, mask) = bit(index, hash)
      if filter[word] & mask == 0 {
        wasThere = false
        filter[word] |= mask
      }
    }
    return wasThere
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
