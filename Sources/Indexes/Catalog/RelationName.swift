/// The name of a table or an index, as the catalog has it and as SQL wants it.
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

  /// `schema.name` without quotes, for people.
  public var description: String { "\(schema).\(name)" }

  public static func < (a: RelationName, b: RelationName) -> Bool {
    (a.schema, a.name) < (b.schema, b.name)
  }
}
