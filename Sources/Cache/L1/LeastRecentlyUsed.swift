/// LRU on paper: which keys it would keep.
struct LeastRecentlyUsed {
  private let capacity: Int
  private let states: UnsafeMutablePointer<SlotState>
  private let lists: SlotLists
  private var count = 0

  init(capacity: Int, in arena: Arena, table: SlotTable, slots: Int) {
    self.capacity = capacity
    states = table.states
    lists = SlotLists(in: arena, slots: slots)
  }

  @inline(__always) func keeps(_ slot: UInt32) -> Bool { states[Int(slot)].recency != 0 }

  /// Whether the request hits. Whoever leaves is appended to `departed`.
  @inline(__always) mutating func request(_ slot: UInt32, departed: inout [UInt32]) -> Bool {
    if states[Int(slot)].recency != 0 {
      lists.refresh(slot, in: 0)
      return true
    }
    if count == capacity, let victim = lists.oldest(of: 0) {
      lists.remove(victim)
      states[Int(victim)].recency = 0
      departed.append(victim)
    } else {
      count += 1
    }
    lists.push(slot, to: 0)
    states[Int(slot)].recency = 1
    return false
  }

  /// The keys that it keeps, least recent first.
  func forEachFromOldest(_ body: (UInt32) -> Void) {
    var next = lists.oldest(of: 0)
    while let slot = next {
      body(slot)
      next = lists.newer(than: slot)
    }
  }
}
