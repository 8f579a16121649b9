import Glibc
import Primitives

/// Questions put to a Unix socket without a client library.
enum SocketProbe {
  /// The process that listens on the socket, or nil when none does. A server that is stopped (SIGSTOP) counts as
  /// listening: the kernel accepts for it.
  static func listener(of path: String) -> pid_t? {
    guard let descriptor = connect(to: path) else { return nil }
    defer { close(descriptor) }
    return peer(of: descriptor)
  }

  /// Whether a Redis answers PING on the socket by `deadline`.
  static func redisAnswers(at path: String, deadline: Deadline) -> Bool {
    guard let descriptor = connect(to: path) else { return false }
    defer { close(descriptor) }
    let ping = Array("PING\r\n".utf8)
    guard send(descriptor, ping, ping.count, Int32(MSG_NOSIGNAL)) == ping.count else { return false }
    var events = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    guard poll(&events, 1, deadline.pollMilliseconds) == 1 else { return false }
    var reply = [UInt8](repeating: 0, count: 16)
    let count = recv(descriptor, &reply, reply.count, 0)
    return count > 0 && reply.starts(with: "+PONG".utf8)
  }

  private static func connect(to path: String) -> Int32? {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    guard bytes.count <= Layout.socketPathLimit else { return nil }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    let descriptor = socket(
      AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
    guard descriptor >= 0 else { return nil }
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    // EAGAIN: the backlog is full, so somebody listens, but nothing can be asked.
    guard result == 0 else {
      close(descriptor)
      return nil
    }
    return descriptor
  }

  // The credentials of a listening socket are those of the process that called listen(2). `struct ucred` is hidden
  // from Swift (it needs _GNU_SOURCE): process, user and group id, 32 bits each (unix(7)).
  private static func peer(of descriptor: Int32) -> pid_t? {
    var credentials: [Int32] = [0, 0, 0]
    var size = socklen_t(MemoryLayout<Int32>.stride * credentials.count)
    guard getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0, credentials[0] > 0
    else { return nil }
    return credentials[0]
  }
}
