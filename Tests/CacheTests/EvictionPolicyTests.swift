import Testing

@testable import Cache

@Suite(.timeLimit(.minutes(2))) struct EvictionPolicyTests {
  /// Random requests, admissions and removals beside a dictionary of what is where.
  @Test(arguments: 1...40) func aPlaceHoldsWhatWasPutThereAndNeverTooMany(seed: UInt64) {
    var generator = Seed(seed)
    let capacity = Int.random(in: 1...(seed % 4 == 0 ? 200 : 9), using: &generator)
    var policy = EvictionPolicy(capacity: capacity)
    var places: [Int: UInt64] = [:]
    let keys = UInt64(capacity * 4 + 2)
    for step in 0..<6000 {
      // Now skewed, now a loop, so that the leader changes.
      let key =
        (step / 700) % 2 == 0
        ? min(.random(in: 1...keys, using: &generator), .random(in: 1...keys, using: &generator))
        : UInt64(step) % (UInt64(capacity) * 2 + 1) + 1
      let fingerprint = key &* 0x9E37_79B9_7F4A_7C15
      let expected = places.first { $0.value == fingerprint }?.key
      switch Int.random(in: 0..<20, using: &generator) {
      case 0:
        if let expected {
          policy.free(expected)
          places[expected] = nil
        }
      case 1:
        #expect(policy.place(of: fingerprint) == expected)
      case 2:
        put(fingerprint, into: &policy, &places)
      default:
        #expect(policy.request(fingerprint) == expected)
        if expected == nil { put(fingerprint, into: &policy, &places) }
      }
      #expect(policy.count == places.count)
      #expect(policy.count <= capacity)
    }
    #expect(places.keys.allSatisfy { (0..<capacity).contains($0) })
  }

  private func put(_ fingerprint: UInt64, into policy: inout EvictionPolicy, _ places: inout [Int: UInt64]) {
    let present = places.first { $0.value == fingerprint }?.key
    switch policy.admit(fingerprint) {
    case .declined:
      #expect(present == nil)
      #expect(places.count == policy.capacity)
    case .place(let place):
      #expect(places[place] == nil && present == nil)
      places[place] = fingerprint
    case .again(let place):
      #expect(place == present)
    case .evict(let place):
      #expect(places[place] != nil && present == nil)
      #expect(places.count == policy.capacity)
      places[place] = fingerprint
    }
  }

  @Test func whileThereIsRoomNothingIsDeclined() {
    var policy = EvictionPolicy(capacity: 100)
    for key in 1...100 as ClosedRange<UInt64> {
      #expect(policy.request(key << 40) == nil)
      #expect(policy.admit(key << 40) == .place(Int(key) - 1))
    }
    for key in 1...100 as ClosedRange<UInt64> { #expect(policy.request(key << 40) == Int(key) - 1) }
  }

  @Test func leadersChangeWithTheTrace() {
    var policy = EvictionPolicy(capacity: 100)
    func serve(_ key: UInt64) {
      let fingerprint = (key + 1) &* 0x9E37_79B9_7F4A_7C15
      if policy.request(fingerprint) == nil { _ = policy.admit(fingerprint) }
    }
    // A window that slides on: each key is requested three times, close together, and never again.
    for step in 0..<30_000 as Range<UInt64> { serve(step / 3 + step % 3 * 20) }
    let afterRecency = policy.leader
    #expect(afterRecency == .recency || afterRecency == .queue)
    for step in 0..<60_000 as Range<UInt64> { serve(step % 130) }
    #expect(policy.leader == .stack || policy.leader == .frequency)
  }

  @Test func aFrequencyIsEstimatedAndFades() {
    let arena = Arena()
    defer { withExtendedLifetime(arena) {} }
    var sketch = FrequencySketch(capacity: 128, in: arena)
    for _ in 0..<9 { sketch.add(42) }
    #expect(sketch.estimate(42) >= 9)
    #expect(sketch.estimate(43) <= 1)
    for key in 100..<4000 as Range<UInt64> { sketch.add(key &* 0x9E37_79B9_7F4A_7C15) }
    #expect(sketch.estimate(42) < 9)
  }
}
