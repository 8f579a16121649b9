/// Which statements a session has prepared on its server, and when it is worth to prepare one.
///
/// A statement is prepared at its second use: a one-shot command then pays for no `Parse` that it does not
/// need, and a loop pays once. Behind a pooler nothing is prepared by name: another program that made up the same name
/// on that server connection would have its statement executed. So no name is used before the session knows what it
/// is connected to. Bounded: beyond `capacity` statements, further ones are sent unprepared.
struct PreparedStatements {
  /// Whether names can be trusted.
  enum Names {
    /// Nobody has asked yet whether the next statement reaches the same server process.
    case unsettled
    case kept
    case unusable
  }

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
  private var names: Names
  private var entries: [String: Entry] = [:]
  /// A statement was sent unprepared that had better been prepared.
  private var isMissed = false

  init(_ names: Names) {
    self.names = names
  }

  /// Whether it is time to ask what the session is connected to: one of the statements, or one before them, comes for
  /// the second time.
  func isInDoubt(before statements: [BoundStatement]) -> Bool {
    names == .unsettled && (isMissed || statements.contains { entries[$0.statement.sql] != nil })
  }

  /// The session has a server process to itself.
  mutating func settle() {
    names = .kept
  }

  /// How to send `sql` now. After `.prepare` the statement counts as prepared, unless `forget` follows.
  mutating func plan(for sql: String) -> Plan {
    if names == .unusable { return .unnamed }
    guard let entry = entries[sql] else {
      if entries.count < Self.capacity { entries[sql] = Entry(name: "ironforge_\(entries.count + 1)") }
      return .unnamed
    }
    if names == .unsettled {
      isMissed = true
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
    names = .unusable
    entries = [:]
  }
}
