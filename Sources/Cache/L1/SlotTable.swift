/// What the policies know of one key: which of them keeps it on paper, and where.
///
/// All bits zero: nobody knows it.
struct SlotState: BitwiseCopyable {
  var fingerprint: UInt64
  /// Where the cache keeps the entry, plus one; 0 when it does not.
  var entry: UInt32
  /// `LeastRecentlyUsed`: 1 when kept.
  var recency: UInt8
  /// `RecencyStack`.
  var stack: UInt8
  /// `SmallFIFO`: the queue.
  var queue: UInt8
  /// `SmallFIFO`: hits since the key came into its queue, up to 3.
  var queueHits: UInt8
  /// `WindowedFrequency`.
  var segment: UInt8
  /// 1 when the cache keeps the entry and the leader does not.
  var isStray: UInt8
  /// 1 after a miss, until the value comes.
  var awaitsValue: UInt8
  /// 1 while the slot is given out.
  var isTaken: UInt8

  /// Whether a policy or the cache still needs the slot.
  var isKnown: Bool { entry != 0 || recency | stack | queue | segment != 0 }
}

/// Numbers the keys that any policy knows, kept or remembered: fingerprint to slot and back.
///
/// Open addressing with linear probing; a removal moves followers back, so that there are no tombstones.
struct SlotTable {
  /// Smaller numbers are the heads of ``SlotLists``.
  static let firstSlot: UInt32 = 4

  let states: UnsafeMutablePointer<SlotState>
  /// A slot in the low half, the high half of its fingerprint in the high half; 0 where nothing is.
  private let buckets: UnsafeMutablePointer<UInt64>
  private let mask: UInt64
  private let free: UnsafeMutablePointer<UInt32>
  private var freeCount = 0
  private var nextFresh = firstSlot
  private let slots: Int

  /// - Parameter slots: as many as can be known at a time, heads included.
  init(in arena: Arena, slots: Int) {
    self.slots = slots
    states = arena.zeroed(SlotState.self, count: slots)
    free = arena.zeroed(UInt32.self, count: slots)
    var size = 16
    while size * 3 < slots * 4 { size *= 2 }
    mask = UInt64(size - 1)
    buckets = arena.zeroed(UInt64.self, count: size)
  }

  /// The slot of a key, or nil when nobody knows it.
  @inline(__always) func find(_ fingerprint: UInt64) -> UInt32? {
    var index = fingerprint & mask
    while true {
      let bucket = buckets[Int(index)]
      if bucket == 0 { return nil }
      if bucket >> 32 == fingerprint >> 32 {
        let slot = UInt32(truncatingIfNeeded: bucket)
        if states[Int(slot)].fingerprint == fingerprint { return slot }
      }
      index = (index + 1) & mask
    }
  }

  /// Gives a slot to a key that has none.
  mutating func take(_ fingerprint: UInt64) -> UInt32 {
    let slot: UInt32
    if freeCount > 0 {
      freeCount -= 1
      slot = free[freeCount]
    } else {
      precondition(Int(nextFresh) < slots, "more keys are known than the policies can remember")
      slot = nextFresh
      nextFresh += 1
    }
    states[Int(slot)].fingerprint = fingerprint
    states[Int(slot)].isTaken = 1
    var index = fingerprint & mask
    while buckets[Int(index)] != 0 { index = (index + 1) & mask }
    buckets[Int(index)] = (fingerprint & 0xFFFF_FFFF_0000_0000) | UInt64(slot)
    return slot
  }

  /// Takes the slot back if nobody needs it any more.
  mutating func releaseIfUnknown(_ slot: UInt32) {
    let state = states[Int(slot)]
    guard state.isTaken != 0, !state.isKnown else { return }
    erase(state.fingerprint, slot)
    states[Int(slot)] = SlotState(
      fingerprint: 0, entry: 0, recency: 0, stack: 0, queue: 0, queueHits: 0, segment: 0, isStray: 0,
      awaitsValue: 0, isTaken: 0)
    free[freeCount] = slot
    freeCount += 1
  }

  private func erase(_ fingerprint: UInt64, _ slot: UInt32) {
    var hole = fingerprint & mask
    while UInt32(truncatingIfNeeded: buckets[Int(hole)]) != slot { hole = (hole + 1) & mask }
    var next = hole
    while true {
      next = (next + 1) & mask
      let bucket = buckets[Int(next)]
      if bucket == 0 { break }
      let home = states[Int(UInt32(truncatingIfNeeded: bucket))].fingerprint & mask
      // It may fill the hole unless its home lies between the hole and itself.
      if (next &- home) & mask >= (next &- hole) & mask {
        buckets[Int(hole)] = bucket
        hole = next
      }
    }
    buckets[Int(hole)] = 0
  }
}
