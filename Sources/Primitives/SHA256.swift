/// The SHA-256 hash of a stream of bytes (FIPS 180-4).
///
/// ```swift
/// var hash = SHA256()
/// hash.update(chunk)
/// let checksum = hash.finalize().hexadecimal
/// ```
public struct SHA256: Sendable {
  /// A finished hash: 32 bytes.
  public struct Digest: Hashable, Sendable, CustomStringConvertible {
    /// The bytes, most significant first.
    public let bytes: [UInt8]

    /// 64 lower-case hexadecimal digits.
    public var hexadecimal: String {
      var text: [UInt8] = []
      text.reserveCapacity(bytes.count * 2)
      for byte in bytes {
        for nibble in [byte >> 4, byte & 0xF] {
          text.append(nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10)
        }
      }
      return String(decoding: text, as: UTF8.self)
    }

    public var description: String { hexadecimal }
  }

  private static let blockSize = 64

  // FIPS 180-4, section 5.3.3: square roots of the first eight primes.
  private var state: (UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32) = (
    0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19
  )
  /// Bytes that do not fill a block yet.
  private var partial: [UInt8] = []
  private var byteCount: UInt64 = 0

  public init() {
    partial.reserveCapacity(Self.blockSize)
  }

  /// The digest of one piece of data.
  public static func digest(of data: some Sequence<UInt8>) -> Digest {
    var hash = SHA256()
    hash.update(data)
    return hash.finalize()
  }

  /// Appends data.
  public mutating func update(_ data: some Sequence<UInt8>) {
    let done: Void? = data.withContiguousStorageIfAvailable { update(UnsafeRawBufferPointer($0)) }
    if done == nil { Array(data).withUnsafeBytes { update($0) } }
  }

  /// Appends data from memory that the caller owns.
  public mutating func update(_ data: UnsafeRawBufferPointer) {
    byteCount &+= UInt64(data.count)
    var data = data[...]
    if !partial.isEmpty {
      let taken = data.prefix(Self.blockSize - partial.count)
      partial.append(contentsOf: taken)
      data = data.dropFirst(taken.count)
      guard partial.count == Self.blockSize else { return }
      let block = partial
      block.withUnsafeBytes { compress($0) }
      partial.removeAll(keepingCapacity: true)
    }
    let whole = data.count - data.count % Self.blockSize
    compress(UnsafeRawBufferPointer(rebasing: data.prefix(whole)))
    partial.append(contentsOf: data.dropFirst(whole))
  }

  /// The digest of all that was appended. The value itself stays as it is, so that a stream can be hashed on.
  public func finalize() -> Digest {
    var copy = self
    // Section 5.1.1: a one bit, zeros, and the length in bits as 64 bits fill the last block.
    let bitCount = byteCount &* 8
    let used = partial.count + 1 + 8
    let zeros = (Self.blockSize - used % Self.blockSize) % Self.blockSize
    copy.update([0x80] + [UInt8](repeating: 0, count: zeros) + Self.bytes(of: bitCount))
    let words = copy.state
    let all = [words.0, words.1, words.2, words.3, words.4, words.5, words.6, words.7]
    return Digest(bytes: all.flatMap { Self.bytes(of: $0) })
  }

  private static func bytes(of word: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: word.bigEndian) { Array($0) }
  }

  /// Section 6.2.2, over whole blocks. All additions are modulo 2^32, as the standard defines them.
  private mutating func compress(_ blocks: UnsafeRawBufferPointer) {
    Self.constants.withUnsafeBufferPointer { constants in
      withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 64) { schedule in
        for start in stride(from: 0, to: blocks.count, by: Self.blockSize) {
          for index in 0..<16 {
            schedule[index] = UInt32(
              bigEndian: blocks.loadUnaligned(fromByteOffset: start + index * 4, as: UInt32.self))
          }
          for index in 16..<64 {
            let early = schedule[index - 15]
            let late = schedule[index - 2]
            let sigma0 = rotated(early, 7) ^ rotated(early, 18) ^ (early >> 3)
            let sigma1 = rotated(late, 17) ^ rotated(late, 19) ^ (late >> 10)
            schedule[index] = schedule[index - 16] &+ sigma0 &+ schedule[index - 7] &+ sigma1
          }
          mix(UnsafeBufferPointer(schedule), constants)
        }
      }
    }
  }

  @inline(__always)
  private mutating func mix(
    _ schedule: UnsafeBufferPointer<UInt32>, _ constants: UnsafeBufferPointer<UInt32>
  ) {
    var (a, b, c, d, e, f, g, h) = state
    for index in 0..<64 {
      let sum1 = rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)
      let choice = (e & f) ^ (~e & g)
      let first = h &+ sum1 &+ choice &+ constants[index] &+ schedule[index]
      let sum0 = rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)
      let majority = (a & b) ^ (a & c) ^ (b & c)
      (h, g, f, e, d, c, b, a) = (g, f, e, d &+ first, c, b, a, first &+ sum0 &+ majority)
    }
    state = (
      state.0 &+ a, state.1 &+ b, state.2 &+ c, state.3 &+ d, state.4 &+ e, state.5 &+ f, state.6 &+ g,
      state.7 &+ h
    )
  }

  // Section 4.2.2: cube roots of the first 64 primes.
  private static let constants: [UInt32] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
  ]
}

@inline(__always)
private func rotated(_ word: UInt32, _ count: UInt32) -> UInt32 {
  word >> count | word << (32 - count)
}
