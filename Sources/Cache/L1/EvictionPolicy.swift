/// Decides which entries a cache keeps: four policies play on paper, and the cache keeps what the best one would.
///
/// No single policy is good everywhere: LRU and S3-FIFO keep nothing of a loop, LIRS and TinyLFU react late when the
/// working set moves. So each of the four runs on the keys alone, and its hits are counted with a fading memory. The
/// one that is ahead leads. When the cache needs room it evicts an entry that the leader would not keep; as the
/// leader keeps no more keys than the cache, there always is one, or else the newcomer itself is declined. A change of
/// the leader evicts nothing at once: the cache drifts towards it miss by miss. From a change on, the cache misses at
/// most once more for each entry in which the two differed than the leader does (Fiat et al., "Competitive paging
/// algorithms", 1991, section 4), however wrong the choice was before.
///
/// A value: no clock, no lock, no randomness, and no keys but their fingerprints. Two keys with the same fingerprint are one
/// key here; the caller tells them apart.
struct EvictionPolicy: ~Copyable {
  /// The policies on paper. The raw values are their places in the list of scores.
  enum Leader: Int, CaseIterable {
    case recency, stack, queue, frequency
  }

  /// Where to put an entry.
  enum Admission: Equatable {
    /// In a place that was free.
    case place(Int)
    /// In the place that holds this key already.
    case again(Int)
    /// In the place of an entry that is thereby evicted.
    case evict(Int)
    /// Nowhere: whatever is kept is worth more.
    case declined
  }

  /// The largest capacity: numbers of slots have 32 bits.
  static let capacityMax = 100_000_000

  let capacity: Int
  /// Entries that are kept.
  private(set) var count = 0
  /// Who leads now. A cache begins with the stack, because a wrong start costs most on loops.
  private(set) var leader = Leader.stack

  private let arena = Arena()
  private var table: SlotTable
  private var recency: LeastRecentlyUsed
  private var stack: RecencyStack
  private var queue: SmallFIFO
  private var frequency: WindowedFrequency
  /// Entries that the leader would not keep, in the order in which they will go.
  private let strays: SlotLists
  /// Which slot each place belongs to; 0 where it is free.
  private let owners: UnsafeMutablePointer<UInt32>
  private let freePlaces: UnsafeMutablePointer<UInt32>
  private var freePlaceCount = 0
  private var departed: [UInt32] = []
  /// Requests that the policies have yet to serve, and what each policy makes of them.
  private let noted: UnsafeMutablePointer<UInt32>
  private let hits: UnsafeMutablePointer<SIMD4<Double>>
  private var notedCount = 0
  private static let notedMax = 64

  /// Hits of each policy; later ones weigh more.
  private var scores: SIMD4<Double> = .zero
  private var weight = 1.0
  private let growth: Double

  /// - Parameter capacity: 1 to ``capacityMax``.
  init(capacity: Int) {
    precondition((1...Self.capacityMax).contains(capacity), "a capacity of \(capacity) entries")
    self.capacity = capacity
    // LRU, the frequencies and the small queue each keep `capacity`, the stack and the queue remember more, and the
    // cache may hold strays that nobody remembers.
    let slots =
      Int(SlotTable.firstSlot) + 5 * capacity + RecencyStack.rememberedMax(capacity: capacity)
      + SmallFIFO.rememberedMax(capacity: capacity) + 8
    table = SlotTable(in: arena, slots: slots)
    recency = LeastRecentlyUsed(capacity: capacity, in: arena, table: table, slots: slots)
    stack = RecencyStack(capacity: capacity, in: arena, table: table, slots: slots)
    queue = SmallFIFO(capacity: capacity, in: arena, table: table, slots: slots)
    frequency = WindowedFrequency(capacity: capacity, in: arena, table: table, slots: slots)
    strays = SlotLists(in: arena, slots: slots)
    owners = arena.zeroed(UInt32.self, count: capacity)
    freePlaces = arena.zeroed(UInt32.self, count: capacity)
    noted = arena.zeroed(UInt32.self, count: Self.notedMax)
    hits = arena.zeroed(SIMD4<Double>.self, count: Self.notedMax)
    departed.reserveCapacity(4 * Self.notedMax)
    margin = 1 + Double(capacity).squareRoot() / 3
    growth = Self.doublingRoot(requests: max(30 * capacity, Self.halfLifeMin))
  }

  // MARK: Requests

  /// A request for a key: where its entry is, or nil. Call ``admit(_:)`` when the value has come after a nil.
  ///
  /// A hit changes no entry, so it is noted and counted later, in the same order, with others: their memory is then
  /// fetched side by side instead of one after the other.
  @inline(__always) mutating func request(_ fingerprint: UInt64) -> Int? {
    let known = table.find(fingerprint)
    if let known {
      let entry = table.states[Int(known)].entry
      if entry != 0 {
        noted[notedCount] = known
        notedCount += 1
        if notedCount == Self.notedMax { countNoted() }
        return Int(entry) - 1
      }
    }
    countNoted()
    // Counting may have forgotten the key.
    let slot = table.find(fingerprint) ?? table.take(fingerprint)
    noted[0] = slot
    notedCount = 1
    table.states[Int(slot)].awaitsValue = 1
    countNoted()
    return nil
  }

  /// Lets the policies on paper serve the noted requests.
  private mutating func countNoted() {
    let count = notedCount
    guard count > 0 else { return }
    notedCount = 0
    // Not `hits[index][0]`: for a build with the thread sanitizer the compiler (Swift 6.3.1) makes broken code of that.
    for index in 0..<count {
      (hits + index).pointee[0] = recency.request(noted[index], departed: &departed) ? 1 : 0
    }
    for index in 0..<count {
      (hits + index).pointee[1] = stack.request(noted[index], departed: &departed) ? 1 : 0
    }
    for index in 0..<count {
      (hits + index).pointee[2] = queue.request(noted[index], departed: &departed) ? 1 : 0
    }
    for index in 0..<count {
      (hits + index).pointee[3] = frequency.request(noted[index], departed: &departed) ? 1 : 0
    }
    var isBehind = false
    for index in 0..<count {
      weight *= growth
      scores += hits[index] * weight
      if hits[index][leader.rawValue] == 0, hits[index].max() > 0 { isBehind = true }
    }
    if isBehind { reconsider() }
    let states = table.states
    for index in 0..<count where states[Int(noted[index])].isStray != 0 && leaderKeeps(noted[index]) {
      strays.remove(noted[index])
      states[Int(noted[index])].isStray = 0
    }
    if !departed.isEmpty { settle() }
  }

  /// Decides where the value of a key goes. Counts as a request unless one has missed just before.
  mutating func admit(_ fingerprint: UInt64) -> Admission {
    let known = table.find(fingerprint)
    if let known, table.states[Int(known)].entry != 0 {
      return .again(Int(table.states[Int(known)].entry) - 1)
    }
    if known.map({ table.states[Int($0)].awaitsValue == 0 }) ?? true { _ = request(fingerprint) }
    countNoted()
    guard let slot = table.find(fingerprint) else { return .declined }
    table.states[Int(slot)].awaitsValue = 0
    if count < capacity {
      let place = takeFreePlace()
      keep(slot, at: place)
      return .place(place)
    }
    guard let victim = strays.oldest(of: 0) else { return .declined }
    let place = Int(table.states[Int(victim)].entry) - 1
    drop(victim)
    keep(slot, at: place)
    return .evict(place)
  }

  /// Where the entry of a key is. Not a request.
  func place(of fingerprint: UInt64) -> Int? {
    guard let slot = table.find(fingerprint) else { return nil }
    let entry = table.states[Int(slot)].entry
    return entry == 0 ? nil : Int(entry) - 1
  }

  /// Frees a place whose entry expired or was invalidated. The policies keep their opinion of its key.
  mutating func free(_ place: Int) {
    countNoted()
    let slot = owners[place]
    guard slot != 0 else { return }
    // The request that found it too old has been counted.
    table.states[Int(slot)].awaitsValue = 1
    drop(slot)
    freePlaces[freePlaceCount] = UInt32(place)
    freePlaceCount += 1
  }

  // MARK: Entries

  /// Places up to the highest that was ever given out.
  var placesUsed: Int { count + freePlaceCount }

  /// Whether there is an entry at a place.
  @inline(__always) func keeps(_ place: Int) -> Bool { owners[place] != 0 }

  private mutating func takeFreePlace() -> Int {
    guard freePlaceCount > 0 else { return count }
    freePlaceCount -= 1
    return Int(freePlaces[freePlaceCount])
  }

  private mutating func keep(_ slot: UInt32, at place: Int) {
    owners[place] = slot
    table.states[Int(slot)].entry = UInt32(place) + 1
    count += 1
    if !leaderKeeps(slot) { stray(slot) }
  }

  private mutating func drop(_ slot: UInt32) {
    let states = table.states
    owners[Int(states[Int(slot)].entry) - 1] = 0
    states[Int(slot)].entry = 0
    count -= 1
    if states[Int(slot)].isStray != 0 {
      strays.remove(slot)
      states[Int(slot)].isStray = 0
    }
    table.releaseIfUnknown(slot)
  }

  private func stray(_ slot: UInt32) {
    guard table.states[Int(slot)].isStray == 0 else { return }
    table.states[Int(slot)].isStray = 1
    strays.push(slot, to: 0)
  }

  /// Notes who left whom.
  private mutating func settle() {
    for slot in departed {
      if table.states[Int(slot)].entry != 0, !leaderKeeps(slot) { stray(slot) }
      table.releaseIfUnknown(slot)
    }
    departed.removeAll(keepingCapacity: true)
  }

  // MARK: The leader

  @inline(__always) private func leaderKeeps(_ slot: UInt32) -> Bool {
    switch leader {
    case .recency: recency.keeps(slot)
    case .stack: stack.keeps(slot)
    case .queue: queue.keeps(slot)
    case .frequency: frequency.keeps(slot)
    }
  }

  /// Fewer requests than this say little, however small the cache.
  private static let halfLifeMin = 3000

  /// Hits by which a policy must be ahead. Two that are equally good drift apart like a random walk, so the bound grows
  /// with the square root; three times as much costs more on traces that one policy owns, a third of it switches
  /// to and fro (docs/cache.md).
  private let margin: Double

  private mutating func reconsider() {
    if weight > 1e100 {
      scores /= weight
      weight = 1
    }
    var best: Leader?
    var lead = 0.0
    for candidate in Leader.allCases where candidate != leader {
      let ahead = (scores[candidate.rawValue] - scores[leader.rawValue]) / weight - margin
      if ahead > lead { (best, lead) = (candidate, ahead) }
    }
    guard let best else { return }
    leader = best
    findStrays()
  }

  /// Those that LRU has given up go first, then the others, the least recent first.
  private mutating func findStrays() {
    strays.clear(0)
    let states = table.states
    for place in 0..<capacity where owners[place] != 0 {
      let slot = owners[place]
      states[Int(slot)].isStray = 0
      if !recency.keeps(slot), !leaderKeeps(slot) { stray(slot) }
    }
    let (leader, stack, queue, frequency, strays) = (leader, stack, queue, frequency, strays)
    recency.forEachFromOldest { slot in
      let isKept =
        switch leader {
        case .recency: true
        case .stack: stack.keeps(slot)
        case .queue: queue.keeps(slot)
        case .frequency: frequency.keeps(slot)
        }
      guard states[Int(slot)].entry != 0, !isKept else { return }
      states[Int(slot)].isStray = 1
      strays.push(slot, to: 0)
    }
  }

  /// The factor that doubles in so many steps: the first terms of the series of 2^(1/n), which is all that a number
  /// that close to one has.
  private static func doublingRoot(requests: Int) -> Double {
    let x = 0.6931471805599453 / Double(requests)
    return 1 + x + x * x / 2 + x * x * x / 6
  }
}
