internal import CDeflate

/// Whether and how a body is compressed.
enum ContentCoding {
  /// Below this a body fits into one packet anyway, and compressing it costs more than it saves.
  static let bytesMin = 1024

  /// Whether the client takes gzip at least as gladly as plain bytes: RFC 9110 section 12.5.3. A weight that cannot be read
  /// counts as 0, because plain bytes are always right.
  static func acceptsGzip(_ fields: [String]) -> Bool {
    var gzip: Double?
    var any: Double?
    var identity = 0.0
    for field in fields {
      for item in field.split(separator: ",") {
        let parts = item.split(separator: ";").map { $0.trimmed.lowercased() }
        guard let coding = parts.first else { continue }
        let weight = parts.dropFirst().first { $0.hasPrefix("q=") }.map { Double($0.dropFirst(2)) ?? 0 } ?? 1
        switch coding {
        case "gzip", "x-gzip": gzip = weight
        case "identity": identity = weight
        case "*": any = weight
        default: continue
        }
      }
    }
    guard let weight = gzip ?? any, weight.isFinite else { return false }
    return weight > 0 && weight >= identity
  }

  /// The bytes as a gzip member; nil where zlib has no memory for it.
  static func gzip(_ bytes: [UInt8]) -> [UInt8]? {
    var stream = z_stream()
    // 15 bits of window, and 16 for the gzip frame (zlib.h); level 1: on JSON the others save little more.
    let started = deflateInit2_(
      &stream, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
      Int32(MemoryLayout<z_stream>.size))
    guard started == Z_OK, bytes.count <= Int(UInt32.max) / 2 else { return nil }
    defer { deflateEnd(&stream) }
    var input = bytes
    let bound = Int(deflateBound(&stream, UInt(bytes.count)))
    return input.withUnsafeMutableBufferPointer { input -> [UInt8]? in
      stream.next_in = input.baseAddress
      stream.avail_in = UInt32(input.count)
      var status = Z_STREAM_ERROR
      let output = [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
        stream.next_out = buffer.baseAddress
        stream.avail_out = UInt32(bound)
        status = deflate(&stream, Z_FINISH)
        count = bound - Int(stream.avail_out)
      }
      return status == Z_STREAM_END ? output : nil
    }
  }
}

extension Substring {
  /// Without blanks and tabs at both ends.
  var trimmed: Substring {
    let isBlank = { (character: Character) in character == " " || character == "\t" }
    var text = drop(while: isBlank)
    while let last = text.last, isBlank(last) { text.removeLast() }
    return text
  }
}
