import CDeflate
import FoundationEssentials
import Histogram
import Primitives
import TestSupport
import Testing

@testable import Bench

/// The encoding against a decoder of its own; `Benchmarks/hdr.sh` holds it against HdrHistogram's Python package.
@Suite struct HistogramEncodingTests {
  /// Reads numbers as they lie in a buffer, most significant byte first.
  private struct Reader {
    var bytes: ArraySlice<UInt8>

    mutating func number(_ size: Int) -> UInt64 {
      defer { bytes = bytes.dropFirst(size) }
      return bytes.prefix(size).reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// ZigZag LEB128 with nine bytes at most.
    mutating func variable() -> Int64 {
      var value: UInt64 = 0
      for place in 0..<9 {
        let byte = UInt64(number(1))
        if place == 8 {
          value |= byte << 56
          break
        }
        value |= (byte & 0x7F) << UInt64(7 * place)
        if byte & 0x80 == 0 { break }
      }
      return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }
  }

  /// The counts by place, after the header was looked at.
  private static func counts(_ encoded: [UInt8]) throws -> [Int: Int64] {
    var reader = Reader(bytes: encoded[...])
    #expect(reader.number(4) == 0x1c84_9313)
    #expect(reader.number(4) == UInt64(encoded.count - 40))
    #expect(reader.number(4) == 0)
    #expect(reader.number(4) == 3)
    #expect(reader.number(8) == 1)
    #expect(reader.number(8) == 3_600_000_000_000)
    #expect(Double(bitPattern: reader.number(8)) == 1)
    var counts: [Int: Int64] = [:]
    var place = 0
    while !reader.bytes.isEmpty {
      let count = reader.variable()
      if count < 0 {
        place += Int(-count)
      } else {
        counts[place] = count
        place += 1
      }
    }
    return counts
  }

  @Test func everyCountHasItsPlace() throws {
    var histogram = LatencyHistogram.empty
    for (value, count) in [(0, 3), (1, 1), (2047, 2), (2048, 5), (4095, 7), (4096, 1), (1_000_000, 4)] {
      histogram.record(UInt64(value), count: UInt64(count))
    }
    // Steps of one up to 2047, of two up to 4095, of four up to 8191; 10^6 lies in the ninth power of two above 2047.
    #expect(
      try Self.counts(histogram.encoded) == [
        0: 3, 1: 1, 2047: 2, 2048: 5, 3071: 7, 3072: 1, (9 << 10) + (1_000_000 >> 9): 4,
      ])
  }

  @Test func longRunsAndLargeCountsAreWhole() throws {
    var histogram = LatencyHistogram.empty
    histogram.record(3_600_000_000_000, count: 1)
    histogram.record(5, count: 1 << 40)
    let counts = try Self.counts(histogram.encoded)
    #expect(counts.values.sorted() == [1, 1 << 40])
    #expect(counts[5] == 1 << 40)
  }

  @Test func theEmptyHistogramHasNoCounts() throws {
    #expect(try Self.counts(LatencyHistogram.empty.encoded) == [:])
  }

  @Test func compressedIsAHeaderAndTheSame() throws {
    var histogram = LatencyHistogram.empty
    for value in 1...5000 { histogram.record(UInt64(value * value)) }
    let compressed = histogram.compressed
    var reader = Reader(bytes: compressed[...])
    #expect(reader.number(4) == 0x1c84_9314)
    #expect(reader.number(4) == UInt64(compressed.count - 8))
    var length = uLong(1 << 20)
    var plain = [UInt8](repeating: 0, count: Int(length))
    let body = Array(reader.bytes)
    #expect(uncompress(&plain, &length, body, uLong(body.count)) == Z_OK)
    #expect(Array(plain.prefix(Int(length))) == histogram.encoded)
  }

  @Test func base64HasItsPadding() {
    let texts = ["", "f", "fo", "foo", "foob", "fooba", "foobar"].map { base64(Array($0.utf8)) }
    // RFC 4648, section 10.
    #expect(
      texts.map { String(decoding: $0, as: UTF8.self) }
        == ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"])
  }

  @Test func aLogHasALineASecond() throws {
    let directory = try TemporaryDirectory("hdr")
    let path = directory.file("run.hlog")
    let log = try HistogramLog(path)
    try log.begin(Timestamp(microseconds: 1_764_000_000_123_456))
    var histogram = LatencyHistogram.empty
    histogram.record(1_234_567)
    try log.append(second: 0, histogram)
    try log.append(second: 1, .empty)
    try log.commit()
    let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map(String.init)
    #expect(lines.count == 7)
    #expect(lines[0] == "#[Histogram log format version 1.3]")
    #expect(lines[2] == "#[BaseTime: 1764000000.123 (seconds since epoch)]")
    #expect(lines[5].hasPrefix("0.000,1.000,1.23"))
    #expect(lines[5].contains(",HISTFAAAA"))
    #expect(lines[6].hasPrefix("1.000,1.000,0.000,HISTFAAAA"))
  }
}
