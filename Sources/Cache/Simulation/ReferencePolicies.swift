/// The policies that ours is measured against, as plain as can be.
extension RequestTrace {
  /// Hits of an LRU cache with room for `capacity` keys.
  func leastRecentlyUsedHits(capacity: Int) -> Int {
    // A list through all keys, newest first, whose head is one past the last key.
    let head = keys.count
    var newer = Array(repeating: head, count: keys.count + 1)
    var older = newer
    var isKept = Array(repeating: false, count: keys.count)
    var (kept, hits) = (0, 0)
    func unlink(_ key: Int) {
      older[newer[key]] = older[key]
      newer[older[key]] = newer[key]
    }
    for request in requests {
      let key = Int(request)
      if isKept[key] {
        hits += 1
        unlink(key)
      } else {
        if kept == capacity {
          let victim = newer[head]
          unlink(victim)
          isKept[victim] = false
        } else {
          kept += 1
        }
        isKept[key] = true
      }
      (newer[key], older[key]) = (head, older[head])
      newer[older[head]] = key
      older[head] = key
    }
    return hits
  }

  /// Hits of the best cache that there can be: it knows the future, and declines or evicts the key whose next request is
  /// farthest away (Belady 1966). No cache of this capacity does better, whether or not it keeps every newcomer.
  func optimalHits(capacity: Int) -> Int {
    let never = UInt32.max
    var next = Array(repeating: never, count: requests.count)
    var latest = Array(repeating: never, count: keys.count)
    for index in requests.indices.reversed() {
      next[index] = latest[Int(requests[index])]
      latest[Int(requests[index])] = UInt32(index)
    }
    // When each kept key comes again; 0 for a key that is not kept, as nothing comes again at 0.
    var due = Array(repeating: UInt32(0), count: keys.count)
    var farthest = FarthestFirst()
    var (kept, hits) = (0, 0)
    for (index, request) in requests.enumerated() {
      let key = Int(request)
      if due[key] != 0 {
        hits += 1
      } else {
        if next[index] == never { continue }
        if kept == capacity {
          // What a hit has outdated is passed over.
          while let top = farthest.first, due[Int(top.key)] != top.due { farthest.removeFirst() }
          guard let top = farthest.first, top.due > next[index] else { continue }
          due[Int(top.key)] = 0
          farthest.removeFirst()
        } else {
          kept += 1
        }
      }
      if next[index] == never {
        due[key] = 0
        kept -= 1
      } else {
        due[key] = next[index]
        farthest.insert(due: next[index], key: request)
      }
    }
    return hits
  }
}

/// A binary heap whose first element is due last.
private struct FarthestFirst {
  private var items: [UInt64] = []

  var first: (due: UInt32, key: UInt32)? {
    items.first.map { (UInt32(truncatingIfNeeded: $0 >> 32), UInt32(truncatingIfNeeded: $0)) }
  }

  mutating func insert(due: UInt32, key: UInt32) {
    items.append(UInt64(due) << 32 | UInt64(key))
    var child = items.count - 1
    while child > 0, items[(child - 1) / 2] < items[child] {
      items.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  mutating func removeFirst() {
    items.swapAt(0, items.count - 1)
    items.removeLast()
    var parent = 0
    while true {
      var largest = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < items.count && items[child] > items[largest]
      {
        largest = child
      }
      if largest == parent { return }
      items.swapAt(parent, largest)
      parent = largest
    }
  }
}
