internal import Primitives

/// What tells one job with its options from every other.
struct Fingerprint: Sendable {
  /// 64 hexadecimal digits.
  let text: String
  /// The advisory lock of whoever works on it.
  let lockKey: Int64

  init(_ job: any Job) {
    var hash = SHA256()
    // Each text with its length before it, so that no two lists of options read the same.
    for text in [job.name] + job.options.sorted(by: { $0.key < $1.key }).flatMap({ [$0.key, $0.value] }) {
      hash.update("\(text.utf8.count):".utf8)
      hash.update(text.utf8)
    }
    text = hash.finalize().hexadecimal
    // Both of the lock's numbers: 64 bits, so that two jobs do not share a lock by chance.
    lockKey = Int64(bitPattern: UInt64(text.prefix(16), radix: 16) ?? 0)
  }
}
