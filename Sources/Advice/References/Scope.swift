/// A column of a table in one place of a statement.
struct Origin: Hashable {
  /// Which use of a table, by its number.
  let use: Int
  let column: Int16
}

/// What a name in FROM offers: columns by name, and where each comes from when it comes from a table unchanged.
struct RangeEntry {
  var alias: String
  var outputs: [(name: String, origin: Origin?)]

  /// Renamed as `alias (a, b, …)` does it.
  func renamed(_ alias: String, columns: [String]) -> RangeEntry {
    var entry = self
    entry.alias = alias
    for (position, name) in columns.enumerated() where position < entry.outputs.count {
      entry.outputs[position].name = name
    }
    return entry
  }
}

/// The names that are known in one SELECT, and those of the statements around it.
final class Scope {
  let parent: Scope?
  var entries: [RangeEntry] = []
  /// Outputs of WITH queries.
  var withQueries: [String: [(name: String, origin: Origin?)]] = [:]

  init(within parent: Scope?) {
    self.parent = parent
  }

  /// What a column reference's names stand for.
  enum Found {
    case column(Origin?)
    /// A row of a table, as in `select t from t`.
    case row([Origin])
    case nothing
  }

  func find(_ names: [String]) -> Found {
    guard let last = names.last else { return .nothing }
    for scope in sequence(first: self, next: \.parent) {
      if names.count == 1 {
        for entry in scope.entries {
          if let output = entry.outputs.first(where: { $0.name == last }) { return .column(output.origin) }
        }
        if let entry = scope.entries.first(where: { $0.alias == last }) {
          return .row(entry.outputs.compactMap(\.origin))
        }
      } else if let entry = scope.entries.first(where: { $0.alias == names[names.count - 2] }) {
        return .column(entry.outputs.first { $0.name == last }?.origin)
      }
    }
    return .nothing
  }

  func withQuery(_ name: String) -> [(name: String, origin: Origin?)]? {
    sequence(first: self, next: \.parent).lazy.compactMap { $0.withQueries[name] }.first
  }
}
