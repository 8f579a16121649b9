internal import Bench
internal import NIOCore

/// A request that is on its way, or about to be.
struct PendingRequest {
  /// When it was due.
  var turn: LoadTurn
  /// When it was sent, in nanoseconds of the monotonic clock.
  var sent: Int64 = 0
  /// How often a server has handed it back unread.
  var returns = 0

  /// Handed back so often, it has failed: a server that never takes a request would be asked for ever.
  static let returnsMax = 3
}

/// A connection of a load, whatever it speaks. Used on its event loop alone.
protocol LoadConnection: AnyObject {
  /// Its place among the connections of the loop.
  var slot: Int { get }
  /// How many more requests it would take now.
  var free: Int { get }
  /// How many requests wait for an answer.
  var inFlight: Int { get }
  /// Whether any request has been answered on it.
  var hasServed: Bool { get }
  /// Why it was closed, where an error came before the close.
  var trouble: LoadTrouble? { get }
  /// Who is told.
  var delegate: any LoadDelegate { get set }
  /// The server's end of it, while it is open.
  var remoteAddress: SocketAddress? { get }
  /// What it speaks: `HTTP/1.1`, `HTTP/2`.
  var version: String { get }

  /// Sends a request; ``free`` must not be 0.
  func send(_ request: PendingRequest)
  /// Ends requests with `timeout` that were due before `instant`, in nanoseconds of the monotonic clock.
  func expire(dueBefore instant: Int64)
  /// Closes it; what is in flight is forgotten.
  func close()
}

/// Who is told what becomes of connections and requests, on the event loop.
protocol LoadDelegate: AnyObject {
  /// A connection can take requests.
  func opened(_ connection: any LoadConnection)
  /// A connection could not be opened.
  func failedToOpen(slot: Int, _ trouble: LoadTrouble)
  /// The server's limit of streams has changed, or a flow of requests may go on.
  func hasRoom(_ connection: any LoadConnection)
  /// A request has ended; `failure` is nil or the code of the error.
  func ended(_ request: PendingRequest, on connection: any LoadConnection, failure: String?)
  /// A request that the server has not looked at, by its own word (RFC 9113 section 8.7): it may be sent again.
  func handedBack(_ request: PendingRequest, by connection: any LoadConnection)
  /// A connection is gone; its requests have ended before.
  func closed(_ connection: any LoadConnection)
}
