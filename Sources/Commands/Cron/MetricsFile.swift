import Glibc
import Primitives

/// The file of `--metrics-file`. A reader sees the old text or the new one, never a part.
struct MetricsFile {
  let path: String
  /// Without its directory.
  var name: String { String(path[(path.lastIndex(of: "/").map(path.index(after:)) ?? path.startIndex)...]) }

  /// A file that others filled is not read further than this.
  private static let sizeMax = 64 * 1024

  /// - Throws: `output_failed` where it cannot be written. Better known before the work than after it.
  init(_ path: String) throws(SimpleFailure) {
    self.path = path
    try DurableFile(path).discard()
  }

  /// Puts the run in place of the one before, whose last success a failed run keeps. That is read at the last moment,
  /// because a run that was refused the lock and the one that has it write to the same file.
  ///
  /// - Throws: `output_failed`.
  func write(_ run: RunMetrics) throws(SimpleFailure) {
    let file = try DurableFile(path)
    let text = run.text(previous: try previous())
    do {
      try file.write { $0 += text.utf8 }
    } catch let failure as SimpleFailure {
      throw failure
    } catch {
      throw Self.failure(path, "\(error)")
    }
    try file.commit()
  }

  /// What stands in the file; nothing for one that is not there, or is a device or a pipe.
  private func previous() throws(SimpleFailure) -> String {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
    guard descriptor >= 0 else {
      if errno == ENOENT { return "" }
      throw Self.failure(path, String(cString: strerror(errno)))
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return "" }
    var bytes = [UInt8](repeating: 0, count: Self.sizeMax)
    var filled = 0
    while filled < bytes.count {
      let count = bytes.withUnsafeMutableBytes {
        read(descriptor, $0.baseAddress?.advanced(by: filled), $0.count - filled)
      }
      if count < 0, errno == EINTR { continue }
      if count < 0 { throw Self.failure(path, String(cString: strerror(errno))) }
      if count == 0 { break }
      filled += count
    }
    return String(decoding: bytes[..<filled], as: UTF8.self)
  }

  private static func failure(_ path: String, _ reason: String) -> SimpleFailure {
    SimpleFailure(
      .unexpected, code: "output_failed", message: "cannot read what \(path) held before: \(reason)")
  }
}
