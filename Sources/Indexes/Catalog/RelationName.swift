/// The name of a table or an index, as the catalog has it and as SQL wants it. Names are the same when their bytes are: the server
/// takes `é` in one scalar and in two for two names, and Swift does not.
public struct RelationName: Hashable, Sendable, Comparable, CustomStringConvertible {
  public let schema: String
  public let name: String
  /// Schema and name, each quoted by the server where it must be.
  public let quoted: String

  /// - Parameter quoted: as the server's `format('%I.%I', …)` prints it.
  public init(schema: String, name: String, quoted: String) {
    self.schema = schema
    self.name = name
    self.quoted = quoted
  }

  /// The name alone, as SQL wants it: the end of `quoted`. Only the server knows all of its key words.
  public var quotedName: String {
    let inQuotes = IndexDDL.inQuotes(name)
    return quoted.utf8.reversed().starts(with: inQuotes.utf8.reversed()) ? inQuotes : name
  }

  /// The schema with its point, as SQL wants it: the beginning of `quoted`.
  var quotedSchema: String {
    String(decoding: quoted.utf8.dropLast(quotedName.utf8.count), as: UTF8.self)
  }

  /// `schema.name` without quotes, for people.
  public var description: String { "\(schema).\(name)" }

  public static func == (a: RelationName, b: RelationName) -> Bool {
    a.schema.utf8.elementsEqual(b.schema.utf8) && a.name.utf8.elementsEqual(b.name.utf8)
      && a.quoted.utf8.elementsEqual(b.quoted.utf8)
  }

  public func hash(into hasher: inout Hasher) {
    for byte in schema.utf8 { hasher.combine(byte) }
    // No name holds a NUL.
    hasher.combine(0 as UInt8)
    for byte in name.utf8 { hasher.combine(byte) }
  }

  public static func < (a: RelationName, b: RelationName) -> Bool {
    if !a.schema.utf8.elementsEqual(b.schema.utf8) {
      return a.schema.utf8.lexicographicallyPrecedes(b.schema.utf8)
    }
    return a.name.utf8.lexicographicallyPrecedes(b.name.utf8)
  }
}
