/// What a pool must know of a connection.
public protocol PooledConnection: AnyObject, Sendable {
  /// Whether the next caller may have it. Asked before a connection that sat idle is lent and after each
  /// return, so it must not cost a round trip: report what is known already, or what a `poll(2)` tells.
  var isUsable: Bool { get async }

  /// Closes the connection. Must come to an end on its own; called once.
  func close() async
}
