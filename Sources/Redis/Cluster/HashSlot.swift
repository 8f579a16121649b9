/// The 16384 slots over which a Redis Cluster spreads its keys (Redis Cluster Specification, "Key distribution model").
enum HashSlot {
  static let count = 16384

  /// The slot of a key: CRC16 of what stands between its first `{` and the next `}`, of all of it where nothing does.
  static func of(_ key: some Collection<UInt8>) -> Int {
    if let open = key.firstIndex(of: UInt8(ascii: "{")) {
      let inner = key[key.index(after: open)...]
      if let close = inner.firstIndex(of: UInt8(ascii: "}")), close != inner.startIndex {
        return Int(crc16(inner[..<close])) % count
      }
    }
    return Int(crc16(key)) % count
  }

  /// CRC-16/XMODEM: polynomial 0x1021, initially 0, not reflected.
  static func crc16(_ bytes: some Collection<UInt8>) -> UInt16 {
    bytes.reduce(0) { sum, byte in sum << 8 ^ table[Int(UInt8(truncatingIfNeeded: sum >> 8) ^ byte)] }
  }

  private static let table: [UInt16] = (0..<256).map { (index: UInt16) in
    (0..<8).reduce(index << 8) { sum, _ in sum & 0x8000 == 0 ? sum << 1 : sum << 1 ^ 0x1021 }
  }
}
