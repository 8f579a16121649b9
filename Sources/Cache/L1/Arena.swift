#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Zeroed memory in a few large pieces that are freed together.
///
/// A hit touches a dozen places; plain pointers spare it the checks and the reference counts of Swift's arrays. No
/// index into them comes from outside: all are slots that ``SlotTable`` gave out. A page that nobody touched costs
/// no memory, so every array is as long as the worst case from the beginning and none ever moves.
final class Arena {
  private var pieces: [UnsafeMutableRawPointer] = []

  deinit {
    for piece in pieces { free(piece) }
  }

  /// Room for `count` values of a type for which all bits zero is a value.
  func zeroed<T: BitwiseCopyable>(_ type: T.Type, count: Int) -> UnsafeMutablePointer<T> {
    guard let piece = calloc(max(count, 1), MemoryLayout<T>.stride) else {
      preconditionFailure("no memory for a cache of this capacity")
    }
    pieces.append(piece)
    return piece.bindMemory(to: T.self, capacity: count)
  }
}
