/// LIRS on paper (Jiang and Zhang, SIGMETRICS 2002), without its small queue: a key is kept when the distance between
/// its last two requests is shorter than the time since the coldest kept key was requested.
///
/// All of the capacity belongs to keys that proved themselves, so that a loop over more than fits keeps as much of it
/// as fits; a key that comes for the first time is remembered, and kept on its second request. What LIRS' queue does
/// for keys that come twice at once is the other policies' part.
struct RecencyStack {
  private enum Place {
    static let kept: UInt8 = 1
    static let remembered: UInt8 = 2
  }

  private let capacity: Int
  private let rememberedMax: Int
  private let states: UnsafeMutablePointer<SlotState>
  /// Kept and remembered keys by recency; the oldest is always a kept one.
  private let stack: SlotLists
  /// The remembered keys alone, by recency.
  private let remembered: SlotLists
  private var keptCount = 0
  private var rememberedCount = 0

  /// Remembers twice as many keys as it keeps.
  static func rememberedMax(capacity: Int) -> Int { 2 * capacity }

  init(capacity: Int, in arena: Arena, table: SlotTable, slots: Int) {
    self.capacity = capacity
    rememberedMax = Self.rememberedMax(capacity: capacity)
    states = table.states
    stack = SlotLists(in: arena, slots: slots)
    remembered = SlotLists(in: arena, slots: slots)
  }

  @inline(__always) func keeps(_ slot: UInt32) -> Bool { states[Int(slot)].stack == Place.kept }

  /// Whether the request hits. Whoever leaves or is forgotten is appended to `departed`.
  @inline(__always) mutating func request(_ slot: UInt32, departed: inout [UInt32]) -> Bool {
    if states[Int(slot)].stack == Place.kept {
      let wasOldest = stack.oldest(of: 0) == slot
      stack.refresh(slot, in: 0)
      if wasOldest { forgetTail(&departed) }
      return true
    }
    miss(slot, &departed)
    return false
  }

  private mutating func miss(_ slot: UInt32, _ departed: inout [UInt32]) {
    let isFull = keptCount == capacity
    if states[Int(slot)].stack == Place.remembered {
      remembered.remove(slot)
      rememberedCount -= 1
      stack.remove(slot)
    } else if isFull {
      states[Int(slot)].stack = Place.remembered
      stack.push(slot, to: 0)
      remembered.push(slot, to: 0)
      rememberedCount += 1
      if rememberedCount > rememberedMax, let oldest = remembered.oldest(of: 0) { forget(oldest, &departed) }
      return
    }
    states[Int(slot)].stack = Place.kept
    stack.push(slot, to: 0)
    keptCount += 1
    guard isFull, let coldest = stack.oldest(of: 0) else { return }
    stack.remove(coldest)
    states[Int(coldest)].stack = 0
    keptCount -= 1
    departed.append(coldest)
    forgetTail(&departed)
  }

  /// Forgets the remembered keys that are older than the coldest kept one: they can no longer come in.
  private mutating func forgetTail(_ departed: inout [UInt32]) {
    while let oldest = stack.oldest(of: 0), states[Int(oldest)].stack == Place.remembered {
      forget(oldest, &departed)
    }
  }

  private mutating func forget(_ slot: UInt32, _ departed: inout [UInt32]) {
    stack.remove(slot)
    remembered.remove(slot)
    rememberedCount -= 1
    states[Int(slot)].stack = 0
    departed.append(slot)
  }
}
