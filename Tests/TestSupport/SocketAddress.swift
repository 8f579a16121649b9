import Glibc

/// A stream socket's address, as far as the proxy needs one.
enum SocketAddress {
  case unix(String)
  /// On 127.0.0.1; 0 lets the kernel choose.
  case tcp(port: UInt16)

  /// A listening socket, non-blocking.
  func listen() throws -> Int32 {
    let descriptor = try open()
    guard withAddress({ bind(descriptor, $0, $1) }) == 0, Glibc.listen(descriptor, 128) == 0 else {
      let number = errno
      close(descriptor)
      throw TestFailure("Cannot listen on \(self): errno \(number).")
    }
    return descriptor
  }

  /// A connected socket, non-blocking, or nil when nobody listens.
  func connect() throws -> Int32? {
    let descriptor = try open()
    let result = withAddress { Glibc.connect(descriptor, $0, $1) }
    guard result == 0 || errno == EINPROGRESS else {
      close(descriptor)
      return nil
    }
    return descriptor
  }

  /// The port on which a socket listens.
  static func port(of descriptor: Int32) throws -> UInt16 {
    var address = sockaddr_in()
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let result = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) }
    }
    guard result == 0 else { throw TestFailure("getsockname: errno \(errno)") }
    return UInt16(bigEndian: address.sin_port)
  }

  private func open() throws -> Int32 {
    let family =
      switch self {
      case .unix: AF_UNIX
      case .tcp: AF_INET
      }
    let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    let descriptor = socket(family, kind, 0)
    guard descriptor >= 0 else { throw TestFailure("socket: errno \(errno)") }
    return descriptor
  }

  private func withAddress<R>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
    switch self {
    case .unix(let path):
      var address = sockaddr_un()
      address.sun_family = sa_family_t(AF_UNIX)
      withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix(107)) }
      return Self.rebound(&address, body)
    case .tcp(let port):
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = port.bigEndian
      address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
      return Self.rebound(&address, body)
    }
  }

  private static func rebound<A, R>(
    _ address: inout A, _ body: (UnsafePointer<sockaddr>, socklen_t) -> R
  ) -> R {
    withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<A>.size)) }
    }
  }
}
