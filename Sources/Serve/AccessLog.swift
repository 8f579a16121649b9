internal import ConnectionPool
import Glibc
internal import Primitives
import Synchronization

/// One JSON object a line for each request. Lines are gathered and written by a thread of its own, so that a slow disk or
/// pipe stops no request; what does not fit into the buffer is dropped, and said.
final class AccessLog: Sendable {
  private struct State {
    var pending: [UInt8] = []
    var dropped = 0
    var isClosed = false
    var isFinished = false
  }

  private let state = Mutex(State())
  private let descriptor: Int32?

  private static let bytesMax = 4 << 20
  private static let pause = Duration.milliseconds(100)

  /// - Parameter place: `stderr`, `none`, or a file to append to.
  /// - Throws: `access_log_unusable`.
  init(_ place: String) throws(SimpleFailure) {
    switch place {
    case "none": descriptor = nil
    case "stderr": descriptor = STDERR_FILENO
    default:
      let opened = open(place, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o640)
      guard opened >= 0 else {
        throw SimpleFailure(
          .configuration, code: "access_log_unusable",
          message: "\(place) cannot be written: \(String(cString: strerror(errno)))",
          hint: "name a file that can, or --access-log stderr")
      }
      descriptor = opened
    }
  }

  func write(_ line: @autoclosure () -> JSON) {
    guard descriptor != nil else { return }
    var bytes: [UInt8] = []
    line().write(to: &bytes)
    bytes.append(UInt8(ascii: "\n"))
    state.withLock { state in
      guard state.pending.count + bytes.count <= Self.bytesMax else {
        state.dropped += 1
        return
      }
      state.pending += bytes
    }
  }

  /// Writes what comes in until ``close()``; blocks, so give it a thread.
  func run() {
    guard let descriptor else { return }
    // Of the last batch, where the file took only a part of it.
    var lost = 0
    while true {
      let (bytes, dropped, isClosed) = state.withLock { state in
        defer { (state.pending, state.dropped) = ([], 0) }
        return (state.pending, state.dropped, state.isClosed)
      }
      let missing = dropped + lost
      if missing > 0 {
        // It may stand behind half a line.
        let start = lost > 0 ? "\n" : ""
        let warning = "\(start){\"warning\":{\"message\":\"\(missing) lines were dropped\"}}\n"
        lost = Self.write(Array(warning.utf8), to: descriptor) == 0 ? 0 : missing
      }
      lost += Self.write(bytes, to: descriptor)
      if isClosed { return state.withLock { $0.isFinished = true } }
      Primitives.pause(for: Self.pause) {}
    }
  }

  /// Ends ``run()`` after what was logged so far.
  func close() { state.withLock { $0.isClosed = true } }

  /// Whether everything that was logged before ``close()`` is written. Never, where a reader of the log has got stuck.
  var isFinished: Bool { descriptor == nil || state.withLock(\.isFinished) }

  /// Returns how many lines were not written, or not whole.
  private static func write(_ bytes: [UInt8], to descriptor: Int32) -> Int {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      // A log that cannot be written must not stop the service.
      guard count > 0 else { return rest.count { $0 == UInt8(ascii: "\n") } }
      rest = rest.dropFirst(count)
    }
    return 0
  }
}

/// The thread of the log: an actor whose only call blocks until the log is closed.
actor AccessLogWriter {
  private let executor = ThreadExecutor()
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  func run(_ log: AccessLog) { log.run() }
}
