internal import CLibpq

extension Session {
  /// Quotes a name for use in SQL, by the server's encoding and rules.
  ///
  /// - Throws: `PostgresError.misuse` for text that is not valid in the connection's encoding.
  public func quoted(identifier: String) throws(PostgresError) -> String {
    try escape(identifier, with: PQescapeIdentifier)
  }

  /// Quotes text as a literal for use in SQL that takes no parameters, such as `SET` or `COMMENT`.
  ///
  /// - Throws: as `quoted(identifier:)`.
  public func quoted(literal: String) throws(PostgresError) -> String {
    try escape(literal, with: PQescapeLiteral)
  }

  private func escape(
    _ text: String,
    with function: (OpaquePointer?, UnsafePointer<CChar>?, Int) -> UnsafeMutablePointer<CChar>?
  ) throws(PostgresError) -> String {
    let connection = try live()
    try requireNoNUL(text)
    guard let escaped = function(connection, text, text.utf8.count) else {
      throw .misuse("text that cannot be quoted")
    }
    defer { PQfreemem(escaped) }
    return String(cString: escaped)
  }
}
