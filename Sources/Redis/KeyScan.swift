/// A walk over the keys of one server, in steps.
///
/// A key that is there all the time comes at least once, in no order (manual of SCAN, "Scan guarantees").
public struct KeyScan: Sendable {
  /// What one step looks at: a millisecond of the server at most.
  private static let stepKeys = 1000
  /// A bound for a loop whose end the server decides: 10 billion keys.
  private static let stepsMax = 10_000_000

  private let pattern: String?
  private var cursor = "0"
  private var steps = 0
  /// Whether all keys have been handed out.
  public private(set) var isOver = false

  /// - Parameter pattern: what the keys are like, as KEYS takes it; nil for all.
  public init(matching pattern: String? = nil) {
    self.pattern = pattern
  }

  /// The next part of the keys, which may be empty before the end.
  ///
  /// - Throws: `RedisError`.
  public mutating func next(in session: Session) throws -> [[UInt8]] {
    if isOver { return [] }
    steps += 1
    guard steps <= Self.stepsMax else {
      throw RedisError.unexpectedReply(expected: "an end of SCAN", got: "\(steps) parts")
    }
    let filter: [Argument] = pattern.map { ["MATCH", .text($0)] } ?? []
    let reply = try session.execute(
      Command(["SCAN", .text(cursor)] + filter + ["COUNT", .integer(Self.stepKeys)]), isIdempotent: true)
    guard let parts = try reply.array(), parts.count == 2, let next = try parts[0].text() else {
      throw RedisError.unexpectedReply(expected: "a cursor and keys", got: "others")
    }
    let keys = try (parts[1].array() ?? []).compactMap { try $0.bytes() }
    cursor = next
    isOver = next == "0"
    return keys
  }
}

extension Session {
  /// Hands out the keys of this server in parts; see ``KeyScan``. Empty ones too: `body` may end a walk over keys of others.
  ///
  /// - Parameter pattern: what the keys are like, as KEYS takes it; nil for all.
  /// - Throws: `RedisError`; what `body` throws.
  public func scan(matching pattern: String? = nil, _ body: ([[UInt8]]) throws -> Void) throws {
    var scan = KeyScan(matching: pattern)
    while !scan.isOver { try body(scan.next(in: self)) }
  }
}
