/// How many connections and callers a pool has at one moment.
public struct PoolStatistics: Sendable, Equatable {
  /// Connections being opened.
  public var opening: Int
  /// Connections that wait for work.
  public var idle: Int
  /// Connections lent out.
  public var leased: Int
  /// Connections being closed.
  public var closing: Int
  /// Callers that wait for a connection.
  public var waiting: Int

  /// All that count against `maxConnections`.
  public var open: Int { opening + idle + leased + closing }
}
