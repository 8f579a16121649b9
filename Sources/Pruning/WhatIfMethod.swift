public import Postgres
internal import Primitives

/// How statements are planned as if an index were not there.
public enum WhatIfMethod: Sendable, Equatable {
  /// `hypopg_hide_index`, of HypoPG 1.4 and later; `schema` is where the extension is, quoted.
  case hypopg(schema: String)
  /// A superuser marks it invalid in a transaction that is rolled back.
  case catalogFlag

  /// The word for it in JSON.
  public var name: String {
    switch self {
    case .hypopg: "hypopg"
    case .catalogFlag: "catalog_flag"
    }
  }
}

/// What a session can do, and in which database it is.
public struct ServerFacts: Sendable, Equatable {
  public var isSuperuser = false
  public var isStandby = false
  /// Whether the next transaction may run on another connection of the server.
  public var isPooled = false
  /// HypoPG's version in this database, such as `1.4.1`.
  public var hypopgVersion: String?
  public var hypopgSchema: String?
  /// `system_identifier` of `pg_control_system()`: the same on a primary and its standbys.
  public var system = ""
  public var database = ""
  /// The role with whose rights everything is done.
  public var role = ""

  public init(
    isSuperuser: Bool = false, isStandby: Bool = false, isPooled: Bool = false, hypopgVersion: String? = nil,
    hypopgSchema: String? = nil
  ) {
    self.isSuperuser = isSuperuser
    self.isStandby = isStandby
    self.isPooled = isPooled
    self.hypopgVersion = hypopgVersion
    self.hypopgSchema = hypopgSchema
  }

  /// - Throws: `PostgresError`.
  public init(_ session: Session) throws {
    isPooled = try session.isShared()
    let row = try session.query(PruneStatements.server())[0]
    isSuperuser = try row.decode(0)
    isStandby = try row.decode(1)
    hypopgVersion = try row.decodeIfPresent(2)
    hypopgSchema = try row.decodeIfPresent(3)
    system = try row.decode(4)
    database = try row.decode(5)
    role = try row.decode(6)
  }

  /// HypoPG first: it writes nothing at all; but what it hides stays hidden on its connection, which a pooler would lend to
  /// others. Nil where an index cannot be hidden.
  public var whatIfMethod: WhatIfMethod? {
    if !isPooled, let hypopgVersion, let hypopgSchema, Self.canHide(hypopgVersion) {
      return .hypopg(schema: hypopgSchema)
    }
    return isSuperuser && !isStandby ? .catalogFlag : nil
  }

  /// Whether HypoPG of this version has `hypopg_hide_index`: 1.4 and later.
  static func canHide(_ version: String) -> Bool {
    let numbers = version.split(separator: ".").map { part in Int(part.prefix { $0.isNumber }) ?? 0 }
    return !numbers.lexicographicallyPrecedes([1, 4])
  }
}
