public import Postgres

/// The statements of the audit.
public enum AuditStatements {
  /// All of them, for the test that prepares each on a migrated database.
  public static let all = [sampleUsers, sampleWallets, sampleActiveUsers, sampleActiveWallets, outboxed]

  // Some four times as many rows as are wanted, of blocks chosen at random: a row is taken to be 100 bytes.
  static let sampleUsers = Statement(
    """
    select id from (
      select id from users
      tablesample system (least(100, $1::bigint * 40000.0 / greatest(pg_relation_size('users'), 1))::real)) as part
    order by random() limit $1
    """, parameters: [.int8], columns: [.uuid])

  static let sampleWallets = Statement(
    """
    select id from (
      select id from wallets
      tablesample system (least(100, $1::bigint * 40000.0 / greatest(pg_relation_size('wallets'), 1))::real)) as part
    order by random() limit $1
    """, parameters: [.int8], columns: [.uuid])

  static let sampleActiveUsers = Statement(
    "select id from users where last_login_at > $2 order by random() limit $1",
    parameters: [.int8, .timestamptz], columns: [.uuid])

  static let sampleActiveWallets = Statement(
    """
    select w.id from wallets w join users u on u.id = w.user_id
    where u.last_login_at > $2 order by random() limit $1
    """, parameters: [.int8, .timestamptz], columns: [.uuid])

  // Which of some keys wait there.
  static let outboxed = Statement(
    "select distinct key from ironforge.cache_outbox, unnest(keys) as key where key = any($1)",
    parameters: [.textArray], columns: [.text])
}
