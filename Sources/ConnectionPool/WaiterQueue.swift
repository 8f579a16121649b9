/// The callers that wait for a connection, first come first served.
///
/// Identifiers ascend with arrival, so arrival order is identifier order. A cancelled waiter leaves a gap that
/// is skipped later, which keeps removal from the middle cheap; gaps never outnumber the living by much.
struct WaiterQueue {
  struct Waiter: Equatable, Sendable {
    let id: PoolStateMachine.WaiterID
    let deadline: PoolStateMachine.Instant
  }

  private var order: [PoolStateMachine.WaiterID] = []
  private var head = 0
  private var waiting: [PoolStateMachine.WaiterID: Waiter] = [:]

  var count: Int { waiting.count }
  var isEmpty: Bool { waiting.isEmpty }

  /// The one who has waited longest. Deadlines ascend with arrival, so its deadline is the earliest.
  var first: Waiter? {
    var index = head
    while index < order.count {
      if let waiter = waiting[order[index]] { return waiter }
      index += 1
    }
    return nil
  }

  mutating func append(_ waiter: Waiter) {
    order.append(waiter.id)
    waiting[waiter.id] = waiter
  }

  /// Puts one back who was served in vain, to the place that its arrival earns.
  mutating func restore(_ waiter: Waiter) {
    let place = order[head...].firstIndex { $0 > waiter.id } ?? order.endIndex
    order.insert(waiter.id, at: place)
    waiting[waiter.id] = waiter
  }

  mutating func popFirst() -> Waiter? {
    while head < order.count {
      let id = order[head]
      head += 1
      if let waiter = waiting.removeValue(forKey: id) {
        compact()
        return waiter
      }
    }
    compact()
    return nil
  }

  /// False when it no longer waits.
  mutating func remove(_ id: PoolStateMachine.WaiterID) -> Bool {
    let removed = waiting.removeValue(forKey: id) != nil
    compact()
    return removed
  }

  private mutating func compact() {
    guard order.count > 2 * waiting.count + 32 else { return }
    order = order[head...].filter { waiting[$0] != nil }
    head = 0
  }
}
