internal import Primitives
internal import SQLSyntax

/// The names that a statement could be about, whether the server can plan it or not.
public struct StatementNames: Sendable {
  private let text: String
  /// Nil where the text cannot be read.
  private let words: Set<[UInt8]>?

  public init(_ sql: String) {
    text = sql.lowercased()
    var words: Set<[UInt8]> = []
    do throws(SQLSyntaxError) {
      for statement in try SQLSyntax.parse(sql) { words.formUnion(StatementWords(statement.tree).all.keys) }
      self.words = words
    } catch {
      self.words = nil
    }
  }

  /// Whether the statement may name a relation; of a text that cannot be read, whether the letters stand in it anywhere.
  public func mentions(_ name: String) -> Bool {
    guard let words else { return text.contains(name.lowercased()) }
    return words.contains(Array(name.utf8))
  }
}
