/// Which statements a session has prepared on its server, and when it is worth to prepare one.
///
/// A statement is prepared at its second use: a one-shot command then pays for no `Parse` that it does not
/// need, and a loop pays once. Behind a pooler nothing is prepared by name. Bounded: beyond `capacity`
/// statements, further ones are sent unprepared.
struct PreparedStatements {
  enum Plan: Equatable {
    /// Send text and values together.
    case unnamed
    /// Prepare under this name, then execute.
    case prepare(String)
    /// Execute what was prepared under this name.
    case execute(String)
  }

  private struct Entry {
    let name: String
    var isPrepared = false
  }

  private static let capacity = 256
  private var isEnabled: Bool
  private var entries: [String: Entry] = [:]

  init(isEnabled: Bool) {
    self.isEnabled = isEnabled
  }

  /// How to send `sql` now. After `.prepare` the statement counts as prepared, unless `forget` follows.
  mutating func plan(for sql: String) -> Plan {
    guard isEnabled else { return .unnamed }
    guard let entry = entries[sql] else {
      if entries.count < Self.capacity { entries[sql] = Entry(name: "ironforge_\(entries.count + 1)") }
      return .unnamed
    }
    if entry.isPrepared { return .execute(entry.name) }
    entries[sql]?.isPrepared = true
    return .prepare(entry.name)
  }

  /// The server did not prepare `sql` after all.
  mutating func forget(_ sql: String) {
    entries[sql]?.isPrepared = false
  }

  /// The server does not know a name that it should know, or knows one that it should not: a pooler stands in
  /// between that did not show itself at connecting. Names are not used again on this session.
  mutating func giveUp() {
    isEnabled = false
    entries = [:]
  }
}
