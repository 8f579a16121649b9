import CHiredis
import Primitives

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A connected stream socket whose every wait has a deadline.
///
/// hiredis could own the socket, but its time-outs begin anew with each `read(2)`, it leaves the descriptor open
/// to children, and it writes with `write(2)`, which raises SIGPIPE. Here sending uses MSG_NOSIGNAL, so the
/// process' SIGPIPE disposition stays as it is (`ironforge … | head` relies on it).
struct Socket: ~Copyable {
  enum Failure: Error {
    case timedOut
    case broken(String)
  }

  let descriptor: Int32

  private init(descriptor: Int32) {
    self.descriptor = descriptor
  }

  deinit {
    close(descriptor)
  }

  /// Sends what the kernel takes without waiting; 0 when it takes nothing now.
  func transmit(_ bytes: UnsafeRawBufferPointer) throws -> Int {
    while true {
      let count = send(descriptor, bytes.baseAddress, bytes.count, IF_NO_SIGNAL)
      if count >= 0 { return count }
      switch errno {
      case EINTR: continue
      case EAGAIN: return 0
      case let number: throw Failure.broken(systemMessage(number))
      }
    }
  }

  /// Receives what has arrived; nil when nothing has.
  func receive(into buffer: UnsafeMutableRawBufferPointer) throws -> Int? {
    while true {
      let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
      if count > 0 { return count }
      if count == 0 { throw Failure.broken("the server closed it") }
      switch errno {
      case EINTR: continue
      case EAGAIN: return nil
      case let number: throw Failure.broken(systemMessage(number))
      }
    }
  }

  /// Whether the peer is still there and has sent nothing, as it must be between two commands.
  var isQuiet: Bool {
    var byte: UInt8 = 0
    return recv(descriptor, &byte, 1, IF_PEEK) < 0 && (errno == EAGAIN || errno == EINTR)
  }

  /// Waits until the socket is readable, or writable if wanted.
  ///
  /// - Throws: `Failure.timedOut`; `CancellationError` on an interruption.
  func wait(forWriting: Bool, deadline: Deadline, interruption: Interruption?) throws {
    let events = Int16(POLLIN) | (forWriting ? Int16(POLLOUT) : 0)
    try Self.waitFor([descriptor], events, deadline, interruption)
  }

  /// Waits until one of the sockets is readable, or the deadline. `CancellationError` on an interruption.
  static func wait(for descriptors: [Int32], deadline: Deadline, interruption: Interruption?) throws {
    do {
      try waitFor(descriptors, Int16(POLLIN), deadline, interruption)
    } catch Failure.timedOut {
      return
    }
  }

  /// Waits for nothing but time. `CancellationError` on an interruption.
  static func sleep(until deadline: Deadline, interruption: Interruption?) throws {
    try wait(for: [], deadline: deadline, interruption: interruption)
  }

  private static func waitFor(
    _ descriptors: [Int32], _ events: Int16, _ deadline: Deadline, _ interruption: Interruption?
  ) throws {
    // poll(2) skips negative descriptors.
    var watched = [pollfd(fd: interruption?.descriptor ?? -1, events: Int16(POLLIN), revents: 0)]
    for descriptor in descriptors { watched.append(pollfd(fd: descriptor, events: events, revents: 0)) }
    while true {
      let ready = poll(&watched, nfds_t(watched.count), deadline.pollMilliseconds)
      if ready > 0 {
        if watched[0].revents != 0 { throw CancellationError() }
        return
      }
      if ready < 0 && errno != EINTR { throw Failure.broken(systemMessage(errno)) }
      if deadline.hasPassed { throw Failure.timedOut }
    }
  }
}

// MARK: - Connecting

extension Socket {
  /// Connects to the first address that answers.
  ///
  /// A host name is looked up by the system's resolver, which keeps its own time (`timeout` and `attempts` in
  /// resolv.conf(5)); addresses and names in /etc/hosts take no time.
  ///
  /// - Throws: `Failure`; `CancellationError` on an interruption.
  static func establish(
    to address: Endpoint.Address, deadline: Deadline, interruption: Interruption?
  ) throws -> Socket {
    switch address {
    case .unix(let path): return try establish(path: path, deadline, interruption)
    case .tcp(let host, let port): return try establish(host: host, port: port, deadline, interruption)
    }
  }

  private static func establish(
    path: String, _ deadline: Deadline, _ interruption: Interruption?
  ) throws -> Socket {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let capacity = MemoryLayout.size(ofValue: address.sun_path)
    guard path.utf8.count < capacity else { throw Failure.broken("the path is too long for a Unix socket") }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    return try withUnsafePointer(to: address) { pointer in
      try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
        try establish(
          family: AF_UNIX, generic, socklen_t(MemoryLayout<sockaddr_un>.size), deadline, interruption)
      }
    }
  }

  private static func establish(
    host: String, port: UInt16, _ deadline: Deadline, _ interruption: Interruption?
  ) throws -> Socket {
    var hints = addrinfo()
    hints.ai_family = AF_UNSPEC
    hints.ai_socktype = IF_STREAM
    hints.ai_flags = AI_NUMERICSERV
    var found: UnsafeMutablePointer<addrinfo>?
    let status = getaddrinfo(host, String(port), &hints, &found)
    guard status == 0 else {
      throw Failure.broken(
        status == EAI_SYSTEM ? systemMessage(errno) : String(cString: gai_strerror(status)))
    }
    defer { freeaddrinfo(found) }
    var candidates: [addrinfo] = []
    var next = found
    while let candidate = next {
      candidates.append(candidate.pointee)
      next = candidate.pointee.ai_next
    }
    var lastFailure = Failure.broken("the name has no address")
    for (index, candidate) in candidates.enumerated() {
      // A silent address must not use up the time of those after it.
      let share = min(deadline, .after(deadline.remaining / (candidates.count - index)))
      do {
        let socket = try establish(
          family: candidate.ai_family, candidate.ai_addr, candidate.ai_addrlen, share, interruption)
        try socket.tune()
        return socket
      } catch let failure as Failure {
        lastFailure = failure
      }
    }
    throw lastFailure
  }

  private static func establish(
    family: Int32, _ address: UnsafePointer<sockaddr>?, _ length: socklen_t, _ deadline: Deadline,
    _ interruption: Interruption?
  ) throws -> Socket {
    let descriptor = socket(family, IF_SOCKET_FLAGS, 0)
    guard descriptor >= 0 else { throw Failure.broken(systemMessage(errno)) }
    let result = Socket(descriptor: descriptor)
    while connect(descriptor, address, length) != 0 {
      switch errno {
      case EINTR: continue
      case EINPROGRESS:
        try waitFor([descriptor], Int16(POLLOUT), deadline, interruption)
        try result.checkConnected()
        return result
      case EAGAIN:
        // A Unix socket whose queue of pending connections is full: the server lives but does not accept.
        if deadline.hasPassed { throw Failure.timedOut }
        try sleep(until: min(deadline, .after(.milliseconds(5))), interruption: interruption)
      case let number: throw Failure.broken(systemMessage(number))
      }
    }
    return result
  }

  private func checkConnected() throws {
    var number: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    guard getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &number, &length) == 0 else {
      throw Failure.broken(systemMessage(errno))
    }
    if number != 0 { throw Failure.broken(systemMessage(number)) }
  }

  /// Commands are small and must leave at once; a peer that vanished should be noticed while idle.
  private func tune() throws {
    var on: Int32 = 1
    let size = socklen_t(MemoryLayout<Int32>.size)
    guard setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, size) == 0,
      setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, size) == 0
    else { throw Failure.broken(systemMessage(errno)) }
  }
}
