internal import CPgQuery

extension SQLSyntax {
  /// The version of PostgreSQL whose grammar libpg_query holds, such as `15.1`.
  public static var libraryVersion: String { PG_VERSION }
}
