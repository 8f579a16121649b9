/// Doubly linked lists over slots, newest at the front. A slot is in at most one list of a family at a time.
///
/// The numbers below ``SlotTable/firstSlot`` are no slots and serve as the heads of the lists.
struct SlotLists {
  private struct Link: BitwiseCopyable {
    var newer: UInt32
    var older: UInt32
  }

  private let links: UnsafeMutablePointer<Link>

  /// Four empty lists, numbered from 0.
  init(in arena: Arena, slots: Int) {
    links = arena.zeroed(Link.self, count: slots)
    for head in 0..<SlotTable.firstSlot { links[Int(head)] = Link(newer: head, older: head) }
  }

  /// Puts a slot that is in no list at the front of one.
  @inline(__always) func push(_ slot: UInt32, to list: UInt32) {
    let first = links[Int(list)].older
    links[Int(slot)] = Link(newer: list, older: first)
    links[Int(first)].newer = slot
    links[Int(list)].older = slot
  }

  /// Takes a slot out of the list that it is in.
  @inline(__always) func remove(_ slot: UInt32) {
    let link = links[Int(slot)]
    links[Int(link.newer)].older = link.older
    links[Int(link.older)].newer = link.newer
  }

  /// Moves a slot of this list to its front.
  @inline(__always) func refresh(_ slot: UInt32, in list: UInt32) {
    if links[Int(list)].older == slot { return }
    remove(slot)
    push(slot, to: list)
  }

  /// The slot at the end, or nil when the list is empty.
  @inline(__always) func oldest(of list: UInt32) -> UInt32? {
    let slot = links[Int(list)].newer
    return slot < SlotTable.firstSlot ? nil : slot
  }

  /// The slot before `slot` on the way from the end to the front, or nil at the front.
  @inline(__always) func newer(than slot: UInt32) -> UInt32? {
    let next = links[Int(slot)].newer
    return next < SlotTable.firstSlot ? nil : next
  }

  /// Empties a list; its slots are in no list of the family.
  func clear(_ list: UInt32) { links[Int(list)] = Link(newer: list, older: list) }
}
