#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Lends the bytes of a key.
@inline(__always) func withBytes<Result>(
  of key: String, _ body: (UnsafeRawBufferPointer) -> Result
) -> Result {
  if let result = key.utf8.withContiguousStorageIfAvailable({ body(UnsafeRawBufferPointer($0)) }) {
    return result
  }
  return Array(key.utf8).withUnsafeBytes(body)
}

/// Whether two keys are the same bytes.
@inline(__always) func isSameKey(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
  guard a.count == b.count, let first = a.baseAddress, let second = b.baseAddress else {
    return a.count == b.count
  }
  return memcmp(first, second, a.count) == 0
}

/// Whether two keys are the same bytes.
func isSameKey(_ a: String, _ b: String) -> Bool {
  withBytes(of: a) { a in withBytes(of: b) { b in isSameKey(a, b) } }
}
