internal import CDeflate
internal import Histogram

/// Histograms as HdrHistogram's tools of all languages read them: its encoding V2, compressed
/// (`encodeIntoCompressedByteBuffer` of https://github.com/HdrHistogram/HdrHistogram).
extension LatencyHistogram {
  /// Cookies of encoding V2, with the word size that its variable-length counts have.
  private static let cookie: UInt32 = 0x1c84_9303 | 0x10
  private static let compressedCookie: UInt32 = 0x1c84_9304 | 0x10

  /// A header, and the encoding compressed by zlib (RFC 1950).
  var compressed: [UInt8] {
    let body = deflated(encoded)
    var bytes: [UInt8] = []
    append(Self.compressedCookie, to: &bytes)
    append(UInt32(body.count), to: &bytes)
    return bytes + body
  }

  /// A header, and the counts up to the largest value.
  var encoded: [UInt8] {
    var counts: [UInt8] = []
    var next = 0
    for value in recordedValues() {
      let place = place(of: value.value)
      // A negative count says how many places are empty.
      if place > next { appendVariable(-Int64(place - next), to: &counts) }
      appendVariable(Int64(clamping: value.count), to: &counts)
      next = place + 1
    }
    var bytes: [UInt8] = []
    append(Self.cookie, to: &bytes)
    append(UInt32(counts.count), to: &bytes)
    append(UInt32(0), to: &bytes)  // the places are not shifted
    append(UInt32(numberOfSignificantValueDigits.rawValue), to: &bytes)
    append(lowestDiscernibleValue, to: &bytes)
    append(Self.nanosecondsMax, to: &bytes)
    append((1.0).bitPattern, to: &bytes)  // what a count of one stands for
    return bytes + counts
  }

  /// Where the count of a value stands: with three digits values below 2048 have a place each, and every power of two above
  /// it 1024 places.
  private func place(of value: UInt64) -> Int {
    let bucket = 53 - (value | 2047).leadingZeroBitCount
    return (bucket << 10) + Int(value >> UInt64(bucket))
  }

  private func append(_ number: some FixedWidthInteger, to bytes: inout [UInt8]) {
    withUnsafeBytes(of: number.bigEndian) { bytes += $0 }
  }

  /// ZigZag and LEB128, whose ninth byte has eight bits.
  private func appendVariable(_ number: Int64, to bytes: inout [UInt8]) {
    var rest = UInt64(bitPattern: (number << 1) ^ (number >> 63))
    for _ in 0..<8 {
      if rest < 0x80 { return bytes.append(UInt8(rest)) }
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(truncatingIfNeeded: rest))
  }

  private func deflated(_ bytes: [UInt8]) -> [UInt8] {
    var length = compressBound(UInt(bytes.count))
    return [UInt8](unsafeUninitializedCapacity: Int(length)) { buffer, count in
      // It can fail for want of memory only: the buffer is as large as the library asks for.
      let status = compress(buffer.baseAddress, &length, bytes, UInt(bytes.count))
      precondition(status == Z_OK, "zlib has no memory: \(status)")
      count = Int(length)
    }
  }
}

/// RFC 4648, with padding.
func base64(_ bytes: [UInt8]) -> [UInt8] {
  let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
  var text: [UInt8] = []
  text.reserveCapacity((bytes.count + 2) / 3 * 4)
  for start in stride(from: 0, to: bytes.count, by: 3) {
    let part = bytes[start..<min(start + 3, bytes.count)]
    let word = part.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - part.count))
    for place in 0..<4 {
      text.append(place <= part.count ? alphabet[(word >> (18 - 6 * place)) & 63] : UInt8(ascii: "="))
    }
  }
  return text
}
