import Glibc
import Primitives
import Synchronization

/// The thread of a proxy: one poll(2) over the listeners and every connection. It looks at the proxy's state every
/// 10 ms and ends when the proxy is stopped or gone.
final class ProxyLoop: @unchecked Sendable {
  // Unchecked: after `init` only the loop's own thread touches it.
  private weak var proxy: Proxy?
  private let listeners: [Int32]
  private let upstream: Proxy.Upstream
  private var links: [ProxyLink] = []
  private var cutGeneration = 0

  init(proxy: Proxy, listeners: [Int32]) {
    self.proxy = proxy
    self.listeners = listeners
    upstream = proxy.upstream
  }

  func run() {
    while let state = proxy?.state.withLock({ $0 }), !state.stopped {
      if state.cutGeneration != cutGeneration {
        cutGeneration = state.cutGeneration
        endAll()
      }
      serve(fault: state.fault)
    }
    endAll()
    for listener in listeners { close(listener) }
  }

  private func serve(fault: ProxyFault) {
    var events = listeners.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    for link in links { events += link.interests(fault: fault) }
    // Ten milliseconds bound how late a change of the fault is seen.
    guard poll(&events, nfds_t(events.count), 10) >= 0 || errno == EINTR else { return }
    var open: [ProxyLink] = []
    for link in links {
      // Read again for each link: a fault that strikes once must not strike two of them.
      let fault = proxy?.state.withLock { $0.fault } ?? .none
      switch link.transfer(fault: fault) {
      case .open: open.append(link)
      case .ended: link.end()
      case .struck:
        // Before the client can notice, who may look at once.
        proxy?.state.withLock { state in
          state.strikes += 1
          if state.fault == fault { state.fault = .none }
        }
        link.end()
      }
    }
    links = open
    for (index, listener) in listeners.enumerated() where events[index].revents != 0 {
      admit(from: listener)
    }
  }

  private func admit(from listener: Int32) {
    let client = accept(listener, nil, nil)
    guard client >= 0 else { return }
    guard fcntl(client, F_SETFD, FD_CLOEXEC) == 0, fcntl(client, F_SETFL, O_NONBLOCK) == 0 else {
      close(client)
      return
    }
    let address: SocketAddress =
      switch upstream {
      case .unix(let path): .unix(path)
      case .tcp(let port): .tcp(port: port)
      }
    // Asked only now: the state may have changed while poll waited for this very client.
    let accepts = proxy?.state.withLock { $0.accepts } ?? false
    // A server that is down looks to the client as if it closed the connection.
    guard accepts, let server = (try? address.connect()) ?? nil else {
      close(client)
      return
    }
    links.append(ProxyLink(client: client, server: server))
    proxy?.state.withLock { $0.connections += 1 }
  }

  private func endAll() {
    for link in links { link.end() }
    links = []
  }
}

/// One connection through a proxy: both sockets, and the bytes between them.
final class ProxyLink {
  enum Progress { case open, ended, struck }

  /// The bytes that flow one way. At most one portion is held, so a slow reader slows the writer.
  private struct Flow {
    let source: Int32
    let target: Int32
    let isOutward: Bool
    var pending: ArraySlice<UInt8> = []
    var notBefore: Deadline?
    var total = 0
    var sourceEnded = false
  }

  private static let portion = 64 * 1024
  private var toServer: Flow
  private var toClient: Flow
  // The last bytes of the client, for a needle that lies across two portions.
  private var tail: [UInt8] = []
  private var losesReply = false

  init(client: Int32, server: Int32) {
    toServer = Flow(source: client, target: server, isOutward: true)
    toClient = Flow(source: server, target: client, isOutward: false)
  }

  func end() {
    for descriptor in [toServer.source, toServer.target] {
      // First, because a child that is being started may hold a copy for a moment, which close(2) would spare.
      shutdown(descriptor, Int32(SHUT_RDWR))
      close(descriptor)
    }
  }

  func interests(fault: ProxyFault) -> [pollfd] {
    if fault == .hang { return [] }
    return [toServer, toClient].map { flow in
      guard flow.pending.isEmpty else {
        // A portion that is being delayed waits for the clock, not for the socket.
        let events = flow.notBefore == nil ? Int16(POLLOUT) : 0
        return pollfd(fd: flow.target, events: events, revents: 0)
      }
      return pollfd(fd: flow.source, events: Int16(POLLIN), revents: 0)
    }
  }

  func transfer(fault: ProxyFault) -> Progress {
    if fault == .hang { return .open }
    let outward = receive(&toServer)
    if !outward.isEmpty {
      switch admitRequest(outward, fault: fault) {
      case .forward(let bytes): hold(bytes, in: &toServer, fault: fault)
      case .lose: return .struck
      }
    }
    let inward = receive(&toClient)
    if !inward.isEmpty {
      if losesReply { return .struck }
      hold(inward, in: &toClient, fault: fault)
    }
    guard send(&toServer), send(&toClient) else { return .ended }
    if case .cutAfterClientBytes(let count) = fault, toServer.total >= count, toServer.pending.isEmpty {
      return .ended
    }
    if case .cutAfterServerBytes(let count) = fault, toClient.total >= count, toClient.pending.isEmpty {
      return .ended
    }
    let finished = [toServer, toClient].contains { $0.sourceEnded && $0.pending.isEmpty }
    return finished ? .ended : .open
  }

  private enum Admission {
    case forward([UInt8])
    case lose
  }

  private func admitRequest(_ bytes: [UInt8], fault: ProxyFault) -> Admission {
    switch fault {
    case .loseRequest(let needle):
      if completes(needle, with: bytes) { return .lose }
    case .loseReply(let needle):
      if completes(needle, with: bytes) { losesReply = true }
    default:
      tail = []
    }
    return .forward(bytes)
  }

  private func completes(_ needle: [UInt8], with bytes: [UInt8]) -> Bool {
    let text = tail + bytes
    tail = Array(text.suffix(max(0, needle.count - 1)))
    guard !needle.isEmpty, text.count >= needle.count else { return false }
    return (0...(text.count - needle.count)).contains { start in
      text[start] == needle[0] && text[start..<(start + needle.count)].elementsEqual(needle)
    }
  }

  private func receive(_ flow: inout Flow) -> [UInt8] {
    guard flow.pending.isEmpty, !flow.sourceEnded else { return [] }
    var buffer = [UInt8](repeating: 0, count: Self.portion)
    let count = recv(flow.source, &buffer, buffer.count, 0)
    if count > 0 { return Array(buffer[..<count]) }
    if count == 0 || (errno != EAGAIN && errno != EINTR && errno != ENOTCONN) { flow.sourceEnded = true }
    return []
  }

  private func hold(_ bytes: [UInt8], in flow: inout Flow, fault: ProxyFault) {
    var bytes = bytes[...]
    switch fault {
    case .cutAfterClientBytes(let count) where flow.isOutward:
      bytes = bytes.prefix(max(0, count - flow.total))
    case .cutAfterServerBytes(let count) where !flow.isOutward:
      bytes = bytes.prefix(max(0, count - flow.total))
    case .delay(let milliseconds): flow.notBefore = .after(.milliseconds(milliseconds))
    default: break
    }
    flow.total += bytes.count
    flow.pending = bytes
  }

  /// False when the target is gone.
  private func send(_ flow: inout Flow) -> Bool {
    if let notBefore = flow.notBefore {
      guard notBefore.hasPassed else { return true }
      flow.notBefore = nil
    }
    guard !flow.pending.isEmpty else { return true }
    let count = flow.pending.withUnsafeBytes {
      Glibc.send(flow.target, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
    }
    if count < 0 { return errno == EAGAIN || errno == EINTR || errno == ENOTCONN }
    flow.pending = flow.pending.dropFirst(count)
    return true
  }
}
