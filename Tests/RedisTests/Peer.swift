import Foundation
import Glibc
import Redis
import Synchronization
import TestSupport

/// Something that listens on a Unix socket and misbehaves: a proxy that cuts, a peer that is silent or no Redis.
final class Peer: Sendable {
  let path: String
  private let listener: Int32
  private let count = Mutex(0)

  /// Bytes that a server sends to a session that connects without a password: to CLIENT SETNAME and PING.
  static let handshakeLength = "+OK\r\n+PONG\r\n".utf8.count

  /// Connections accepted so far.
  var accepted: Int { count.withLock { $0 } }

  /// - Parameter serve: handles one connection, whose number counts from 0; the descriptor is closed after it.
  init(beside server: RedisServer, name: String, serve: @escaping @Sendable (Int32, Int) -> Void) throws {
    path = server.directory + "/" + name
    listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    let status = Self.withAddress(path) { address, length in bind(listener, address, length) }
    guard status == 0, listen(listener, 16) == 0 else { throw TestFailure("cannot listen: errno \(errno)") }
    // Threads of their own: those of Dispatch are as few as processors, and one that blocks keeps the next connection waiting.
    Thread.detachNewThread { [self] in
      while true {
        let client = accept(listener, nil, nil)
        guard client >= 0 else { return }
        let number = count.withLock { count in
          defer { count += 1 }
          return count
        }
        Thread.detachNewThread {
          serve(client, number)
          close(client)
        }
      }
    }
  }

  func stop() {
    shutdown(listener, Int32(SHUT_RDWR))
    close(listener)
    unlink(path)
  }

  func endpoint() throws -> Endpoint { try Endpoint(.unix(path: path)) }

  /// Forwards both ways. Once `limit` bytes have gone to the client, or a request holds `trigger`, cuts both.
  static func forward(
    _ client: Int32, to target: String, limit: Int = .max, cuttingAfterRequest trigger: String? = nil
  ) {
    let server = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(server) }
    guard withAddress(target, { connect(server, $0, $1) }) == 0 else { return }
    var buffer = [UInt8](repeating: 0, count: 65536)
    var left = limit
    while true {
      var watched = [
        pollfd(fd: client, events: Int16(POLLIN), revents: 0),
        pollfd(fd: server, events: Int16(POLLIN), revents: 0),
      ]
      guard poll(&watched, 2, 30_000) > 0 else { return }
      if watched[0].revents != 0 {
        let count = read(client, &buffer, buffer.count)
        guard count > 0, sendAll(server, buffer[..<count]) else { return }
        if let trigger, String(decoding: buffer[..<count], as: UTF8.self).contains(trigger) {
          // The server has executed it once it answers; the answer is not passed on.
          _ = read(server, &buffer, buffer.count)
          return
        }
      }
      if watched[1].revents != 0 {
        let count = read(server, &buffer, buffer.count)
        guard count > 0, sendAll(client, buffer[..<min(count, left)]) else { return }
        left -= min(count, left)
        if left == 0 { return }
      }
    }
  }

  static func sendAll(_ descriptor: Int32, _ bytes: ArraySlice<UInt8>) -> Bool {
    var rest = bytes
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes {
        send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return false }
      rest = rest.dropFirst(count)
    }
    return true
  }

  private static func withAddress(
    _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
  ) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    return withUnsafePointer(to: address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
  }
}
