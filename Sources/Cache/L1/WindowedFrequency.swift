/// W-TinyLFU on paper (Einziger, Friedman and Manes, 2017): newcomers pass through a window of one hundredth; whoever
/// leaves it must have come more often lately than the one that it would replace.
struct WindowedFrequency {
  private enum Segment {
    static let window: UInt8 = 1
    static let probation: UInt8 = 2
    static let protected: UInt8 = 3
  }

  private let capacity: Int
  private let windowMax: Int
  private let protectedMax: Int
  private let states: UnsafeMutablePointer<SlotState>
  private let lists: SlotLists
  private var sketch: FrequencySketch
  private var windowCount = 0
  private var probationCount = 0
  private var protectedCount = 0

  init(capacity: Int, in arena: Arena, table: SlotTable, slots: Int) {
    self.capacity = capacity
    windowMax = max(1, capacity / 100)
    protectedMax = (capacity - windowMax) * 4 / 5
    states = table.states
    lists = SlotLists(in: arena, slots: slots)
    sketch = FrequencySketch(capacity: capacity, in: arena)
  }

  @inline(__always) func keeps(_ slot: UInt32) -> Bool { states[Int(slot)].segment != 0 }

  /// Whether the request hits. Whoever leaves is appended to `departed`.
  @inline(__always) mutating func request(_ slot: UInt32, departed: inout [UInt32]) -> Bool {
    sketch.add(states[Int(slot)].fingerprint)
    switch states[Int(slot)].segment {
    case Segment.window:
      lists.refresh(slot, in: UInt32(Segment.window))
    case Segment.probation:
      lists.remove(slot)
      probationCount -= 1
      place(slot, in: Segment.protected)
      protectedCount += 1
      if protectedCount > protectedMax, let oldest = lists.oldest(of: UInt32(Segment.protected)) {
        lists.remove(oldest)
        protectedCount -= 1
        place(oldest, in: Segment.probation)
        probationCount += 1
      }
    case Segment.protected:
      lists.refresh(slot, in: UInt32(Segment.protected))
    default:
      miss(slot, &departed)
      return false
    }
    return true
  }

  private func place(_ slot: UInt32, in segment: UInt8) {
    states[Int(slot)].segment = segment
    lists.push(slot, to: UInt32(segment))
  }

  private mutating func miss(_ slot: UInt32, _ departed: inout [UInt32]) {
    place(slot, in: Segment.window)
    windowCount += 1
    guard windowCount > windowMax, let candidate = lists.oldest(of: UInt32(Segment.window)) else { return }
    lists.remove(candidate)
    windowCount -= 1
    let isFull = windowCount + probationCount + protectedCount == capacity
    if isFull, !replaces(candidate, &departed) {
      states[Int(candidate)].segment = 0
      departed.append(candidate)
      return
    }
    place(candidate, in: Segment.probation)
    probationCount += 1
  }

  /// Evicts the key that the candidate has to beat, if it does.
  private mutating func replaces(_ candidate: UInt32, _ departed: inout [UInt32]) -> Bool {
    let isProtected = probationCount == 0
    guard let victim = lists.oldest(of: UInt32(isProtected ? Segment.protected : Segment.probation)) else {
      return false
    }
    let states = states
    guard
      sketch.estimate(states[Int(candidate)].fingerprint) > sketch.estimate(states[Int(victim)].fingerprint)
    else { return false }
    lists.remove(victim)
    if isProtected { protectedCount -= 1 } else { probationCount -= 1 }
    states[Int(victim)].segment = 0
    departed.append(victim)
    return true
  }
}
