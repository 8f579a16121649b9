/// S3-FIFO on paper (Yang et al., SOSP 2023): a small queue for newcomers, a main queue for those that were hit twice
/// in it or came back soon after, and a memory of what left the small queue. A hit moves nothing.
struct SmallFIFO {
  private enum Queue {
    static let small: UInt8 = 1
    static let main: UInt8 = 2
    static let remembered: UInt8 = 3
  }
  private static let hitsMax: UInt8 = 3
  /// Hits in the small queue that promote.
  private static let promotion: UInt8 = 2

  private let capacity: Int
  private let smallMax: Int
  private let rememberedMax: Int
  private let states: UnsafeMutablePointer<SlotState>
  private let lists: SlotLists
  private var smallCount = 0
  private var mainCount = 0
  private var rememberedCount = 0

  /// As many as the main queue holds.
  static func rememberedMax(capacity: Int) -> Int { max(1, capacity - max(1, capacity / 10)) }

  init(capacity: Int, in arena: Arena, table: SlotTable, slots: Int) {
    self.capacity = capacity
    smallMax = max(1, capacity / 10)
    rememberedMax = Self.rememberedMax(capacity: capacity)
    states = table.states
    lists = SlotLists(in: arena, slots: slots)
  }

  @inline(__always) func keeps(_ slot: UInt32) -> Bool {
    let queue = states[Int(slot)].queue
    return queue == Queue.small || queue == Queue.main
  }

  /// Whether the request hits. Whoever leaves or is forgotten is appended to `departed`.
  @inline(__always) mutating func request(_ slot: UInt32, departed: inout [UInt32]) -> Bool {
    if keeps(slot) {
      if states[Int(slot)].queueHits < Self.hitsMax { states[Int(slot)].queueHits += 1 }
      return true
    }
    miss(slot, &departed)
    return false
  }

  private mutating func miss(_ slot: UInt32, _ departed: inout [UInt32]) {
    let isRemembered = states[Int(slot)].queue == Queue.remembered
    if isRemembered {
      lists.remove(slot)
      rememberedCount -= 1
    }
    if smallCount + mainCount == capacity { makeRoom(&departed) }
    place(slot, in: isRemembered ? Queue.main : Queue.small)
    states[Int(slot)].queueHits = 0
  }

  private mutating func place(_ slot: UInt32, in queue: UInt8) {
    states[Int(slot)].queue = queue
    lists.push(slot, to: UInt32(queue))
    if queue == Queue.small { smallCount += 1 } else { mainCount += 1 }
  }

  private mutating func makeRoom(_ departed: inout [UInt32]) {
    guard smallCount >= smallMax || mainCount == 0 else { return evictFromMain(&departed) }
    while let oldest = lists.oldest(of: UInt32(Queue.small)) {
      lists.remove(oldest)
      smallCount -= 1
      if states[Int(oldest)].queueHits < Self.promotion {
        remember(oldest, &departed)
        return
      }
      place(oldest, in: Queue.main)
      states[Int(oldest)].queueHits = 0
      if mainCount > capacity - smallMax { return evictFromMain(&departed) }
    }
    evictFromMain(&departed)
  }

  private mutating func remember(_ slot: UInt32, _ departed: inout [UInt32]) {
    states[Int(slot)].queue = Queue.remembered
    lists.push(slot, to: UInt32(Queue.remembered))
    rememberedCount += 1
    departed.append(slot)
    if rememberedCount > rememberedMax, let oldest = lists.oldest(of: UInt32(Queue.remembered)) {
      lists.remove(oldest)
      rememberedCount -= 1
      states[Int(oldest)].queue = 0
      departed.append(oldest)
    }
  }

  /// Ends: each round takes a hit from a key that has at most three.
  private mutating func evictFromMain(_ departed: inout [UInt32]) {
    while let oldest = lists.oldest(of: UInt32(Queue.main)) {
      if states[Int(oldest)].queueHits > 0 {
        states[Int(oldest)].queueHits -= 1
        lists.refresh(oldest, in: UInt32(Queue.main))
        continue
      }
      lists.remove(oldest)
      mainCount -= 1
      states[Int(oldest)].queue = 0
      departed.append(oldest)
      return
    }
  }
}
