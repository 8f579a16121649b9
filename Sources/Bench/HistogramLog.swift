internal import Histogram
public import Primitives
internal import Synchronization

/// A file in HdrHistogram's log format, version 1.3: a line a second with the latencies of the requests that ended in it, in
/// nanoseconds. HistogramLogProcessor, HistogramLogAnalyzer and the packages of other languages read it.
public final class HistogramLog: Sendable {
  private let file: Mutex<DurableFile>

  /// Opens the file; it is there when `commit` returns.
  ///
  /// - Throws: `output_failed`.
  public init(_ path: String) throws(SimpleFailure) {
    let file = try DurableFile(path)
    self.file = Mutex(file)
  }

  /// Writes what stands before the seconds.
  ///
  /// - Parameter start: when the measurement begins.
  /// - Throws: `output_failed`.
  func begin(_ start: Timestamp) throws {
    let time = "\(Self.decimal(start.microseconds / 1000)) (seconds since epoch)"
    try write(
      """
      #[Histogram log format version 1.3]
      #[Written by ironforge bench; values are nanoseconds]
      #[BaseTime: \(time)]
      #[StartTime: \(time), \(start)]
      "StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"

      """)
  }

  /// Writes the line of a second; times are seconds from the start, the maximum is in milliseconds.
  ///
  /// - Throws: `output_failed`.
  func append(second: Int, _ latencies: LatencyHistogram) throws {
    let longest = latencies.totalCount > 0 ? Int64(clamping: latencies.max / 1000) : 0
    let line = "\(second).000,1.000,\(Self.decimal(longest)),"
    try write(line + String(decoding: base64(latencies.compressed), as: UTF8.self) + "\n")
  }

  /// Puts the file under its name.
  ///
  /// - Throws: `output_failed`.
  public func commit() throws { try file.withLock { try $0.commit() } }

  private func write(_ text: String) throws {
    try file.withLock { try $0.write { $0 += text.utf8 } }
  }

  /// Thousandths with three places.
  private static func decimal(_ thousandths: Int64) -> String {
    let fraction = String(1000 + thousandths % 1000).dropFirst()
    return "\(thousandths / 1000).\(fraction)"
  }
}
