public import Postgres

/// What this target sends besides the ledger's own statements and its COPYs.
public enum FixtureStatements {
  /// For the test that prepares every statement on a migrated database.
  public static let all = [lock, emailExists]

  // 'ifmg' and 'fixt' in ASCII. One load or generation at a time: two of the same would wait for each other's keys.
  static let lock = Statement(
    "select pg_advisory_xact_lock(1768320359, 1718188148)", columns: [.void])

  static let emailExists = Statement(
    "select exists (select from users where email = $1)", parameters: [.text], columns: [.bool])
}
