import Glibc
import Primitives

/// The reader of standard output has gone, as with `| head`. The program ends quietly.
struct ReaderGone: Error {}

/// A buffered writer on a file descriptor.
struct FileStream: Sendable {
  private let descriptor: Int32
  private var buffer: [UInt8] = []
  private let bufferSize: Int

  /// `bufferSize` 0 writes at once.
  init(_ descriptor: Int32, bufferSize: Int) {
    self.descriptor = descriptor
    self.bufferSize = bufferSize
  }

  /// Lets `body` append, and writes when the buffer is full.
  ///
  /// - Throws: ``ReaderGone``, or a failure `output_failed`, as when the disk is full.
  mutating func write(_ body: (inout [UInt8]) throws -> Void) throws {
    try body(&buffer)
    if buffer.count >= bufferSize { try flush() }
  }

  mutating func flush() throws {
    defer { buffer.removeAll(keepingCapacity: true) }
    var written = 0
    while written < buffer.count {
      let count = buffer.withUnsafeBytes {
        Glibc.write(descriptor, $0.baseAddress?.advanced(by: written), $0.count - written)
      }
      if count >= 0 {
        written += count
        continue
      }
      switch errno {
      case EINTR: continue
      case EAGAIN:
        // Somebody else made the descriptor non-blocking: wait as a blocking write would.
        var poll = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        Glibc.poll(&poll, 1, -1)
      case EPIPE: throw ReaderGone()
      case let code:
        throw SimpleFailure(
          .unexpected, code: "output_failed",
          message: "cannot write the output: \(String(cString: strerror(code)))")
      }
    }
  }
}
