import Glibc

/// Tells systemd how the service is: sd_notify(3), whose protocol is one datagram a message.
struct ServiceNotifier: Sendable {
  private let path: String?
  /// How often the watchdog wants to hear something; nil where none is set.
  let watchdogInterval: Duration?

  /// From `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`. Without them nothing is sent.
  init() {
    path = getenv("NOTIFY_SOCKET").map { String(cString: $0) }
    let isOurs = getenv("WATCHDOG_PID").map { String(cString: $0) == String(getpid()) } ?? true
    let microseconds = getenv("WATCHDOG_USEC").flatMap { Int64(String(cString: $0)) }
    // Twice in the time, as sd_watchdog_enabled(3) asks.
    watchdogInterval = isOurs ? microseconds.flatMap { $0 > 1 ? .microseconds($0 / 2) : nil } : nil
  }

  /// Sends `READY=1` and the like. What cannot be sent is nobody's loss: systemd then says so itself.
  func send(_ message: String) {
    guard let path, path.utf8.count < 108, path.hasPrefix("/") || path.hasPrefix("@") else { return }
    let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    // An abstract name begins with a NUL, and ends where the length says.
    if path.hasPrefix("@") { withUnsafeMutableBytes(of: &address.sun_path) { $0[0] = 0 } }
    let length = socklen_t(2 + path.utf8.count)
    let bytes = Array(message.utf8)
    _ = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        sendto(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL), $0, length)
      }
    }
  }
}
