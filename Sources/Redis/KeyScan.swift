extension Session {
  /// What one step of a scan looks at: a millisecond of the server at most.
  private static let scanStep = 1000
  /// A bound for a loop whose end the server decides: 10 billion keys.
  private static let scanStepsMax = 10_000_000

  /// Hands out the keys of this server in parts, in no order. A key that was there all the time comes at least once (manual
  /// of SCAN, "Scan guarantees").
  ///
  /// - Parameter pattern: what the keys are like, as KEYS takes it; nil for all.
  /// - Throws: `RedisError`; what `body` throws.
  public func scan(matching pattern: String? = nil, _ body: ([[UInt8]]) throws -> Void) throws {
    var cursor = "0"
    for _ in 0..<Self.scanStepsMax {
      let filter: [Argument] = pattern.map { ["MATCH", .text($0)] } ?? []
      let reply = try execute(
        Command(["SCAN", .text(cursor)] + filter + ["COUNT", .integer(Self.scanStep)]), isIdempotent: true)
      guard let parts = try reply.array(), parts.count == 2, let next = try parts[0].text() else {
        throw RedisError.unexpectedReply(expected: "a cursor and keys", got: "others")
      }
      let keys = try (parts[1].array() ?? []).compactMap { try $0.bytes() }
      if !keys.isEmpty { try body(keys) }
      if next == "0" { return }
      cursor = next
    }
  }
}
