internal import NIOCore
import Synchronization

/// The connections that are open: how many, and how to end them.
final class ConnectionRegistry: Sendable {
  private struct State {
    var channels: [ObjectIdentifier: any Channel] = [:]
    var isDraining = false
    var isAccepting = true
    var onRoom: (@Sendable () -> Void)?
  }

  private let state = Mutex(State())
  private let most: Int

  init(most: Int) { self.most = most }

  /// Open connections.
  var count: Int { state.withLock { $0.channels.count } }

  /// Whether the service is stopping; answers then end their connection.
  var isDraining: Bool { state.withLock(\.isDraining) }

  /// Whether one more may be accepted. If not, `onRoom` is called once when one ends.
  func admits(orCall onRoom: @escaping @Sendable () -> Void) -> Bool {
    state.withLock { state in
      if state.channels.count < most { return true }
      state.onRoom = onRoom
      return false
    }
  }

  func add(_ channel: any Channel) {
    let isDraining = state.withLock { state in
      state.channels[ObjectIdentifier(channel)] = channel
      return state.isDraining
    }
    channel.closeFuture.whenComplete { [self] _ in
      let onRoom = state.withLock { state in
        state.channels.removeValue(forKey: ObjectIdentifier(channel))
        defer { state.onRoom = nil }
        return state.onRoom
      }
      onRoom?()
    }
    if isDraining { channel.close(promise: nil) }
  }

  /// Asks every connection to end after what it is doing.
  func quiesce() {
    let channels = state.withLock { state in
      state.isDraining = true
      return Array(state.channels.values)
    }
    for channel in channels { channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent()) }
  }

  /// Ends what is left.
  func closeAll() {
    for channel in state.withLock({ Array($0.channels.values) }) { channel.close(promise: nil) }
  }
}

/// On the listening socket: accepts no more than there is room for. Others wait in the kernel's queue.
final class AcceptLimit: ChannelDuplexHandler {
  typealias InboundIn = any Channel
  typealias OutboundIn = Never

  private let connections: ConnectionRegistry

  init(_ connections: ConnectionRegistry) { self.connections = connections }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    connections.add(unwrapInboundIn(data))
    context.fireChannelRead(data)
  }

  func read(context: ChannelHandlerContext) {
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    let loop = context.eventLoop
    // Asked again: others may have come meanwhile.
    let mayRead = connections.admits {
      loop.execute {
        let (limit, context) = bound.value
        limit.read(context: context)
      }
    }
    if mayRead { context.read() }
  }
}
