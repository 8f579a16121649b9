@testable import Cache

/// Synthetic traces, one for each habit that a policy can be bad at.
enum Workload {
  /// `count` requests over keys whose frequencies fall as 1/rank^`skew`, with everything `shift`ed on after each period.
  static func zipf(
    keys: Int, skew: Int = 1, count: Int, shift: Int = 0, period: Int = 1000, seed: UInt64
  ) -> RequestTrace {
    var generator = Seed(seed)
    let draw = Zipf(keys: keys, skew: skew)
    var trace = RequestTrace()
    for index in 0..<count { trace.append("z\(draw.next(&generator) + index / period * shift)") }
    return trace
  }

  /// `keys` keys in a circle.
  static func loop(keys: Int, count: Int) -> RequestTrace {
    var trace = RequestTrace()
    for index in 0..<count { trace.append("l\(index % keys)") }
    return trace
  }

  /// Popular keys with long scans of keys that never come again.
  static func scans(keys: Int, count: Int, seed: UInt64) -> RequestTrace {
    var generator = Seed(seed)
    let draw = Zipf(keys: keys, skew: 1)
    var trace = RequestTrace()
    for index in 0..<count {
      trace.append(index % 3000 < 1800 ? "z\(draw.next(&generator))" : "s\(index)")
    }
    return trace
  }

  /// The trace that LRU is made for: how recently a key was requested is all that tells of its next request.
  static func recency(keys: Int, count: Int, seed: UInt64) -> RequestTrace {
    var generator = Seed(seed)
    let draw = Zipf(keys: keys, skew: 1)
    var stack: [Int] = []
    var trace = RequestTrace()
    for index in 0..<count {
      let depth = draw.next(&generator)
      let isNew = depth >= stack.count || index % 40 == 0
      let key = isNew ? index : stack.remove(at: stack.count - 1 - depth)
      stack.append(key)
      if stack.count > 2 * keys { stack.removeFirst(keys) }
      trace.append("r\(key)")
    }
    return trace
  }

  /// Loops of several lengths, one after the other, some of which come back.
  static func loops(count: Int, seed: UInt64) -> RequestTrace {
    var generator = Seed(seed)
    var trace = RequestTrace()
    while trace.requests.count < count {
      let length = [300, 900, 2500].randomElement(using: &generator) ?? 300
      for _ in 0..<Int.random(in: 4...9, using: &generator) {
        for key in 0..<length { trace.append("\(length)-\(key)") }
      }
    }
    return trace
  }
}

/// Ranks from 0, drawn with a probability that falls as 1/rank^skew.
private struct Zipf {
  private let cumulated: [Double]

  init(keys: Int, skew: Int) {
    var sum = 0.0
    cumulated = (1...keys).map { rank in
      sum += 1 / (0..<skew).reduce(1.0) { product, _ in product * Double(rank) }
      return sum
    }
  }

  func next(_ generator: inout Seed) -> Int {
    let point = Double.random(in: 0..<(cumulated.last ?? 0), using: &generator)
    var (low, high) = (0, cumulated.count - 1)
    while low < high {
      let middle = (low + high) / 2
      if cumulated[middle] <= point { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
