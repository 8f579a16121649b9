public import Postgres

/// The statements that read what is cached.
public enum RowStatements {
  /// All of them, for the test that prepares each on a migrated database.
  public static let all = [
    snapshot, usersByID, usersInOrder, walletsByID, walletsInOrder, assets, userWindowEnd, walletWindowEnd,
    newTransaction, estimate,
  ]

  // Sent in the transaction, and so with the snapshot, of what it is about.
  static let snapshot = Statement(
    "select pg_current_snapshot()::text, pg_is_in_recovery()", columns: [.text, .bool])

  static let newTransaction = Statement(
    "select pg_current_xact_id()::text, pg_current_snapshot()::text", columns: [.text, .text])

  // -1 for a table that was never analyzed.
  static let estimate = Statement(
    "select greatest(0, sum(reltuples))::bigint from pg_class where oid = any($1::text[]::regclass[])",
    parameters: [.textArray], columns: [.int8])

  private static let userColumns: [DataType] = [.uuid, .text, .text, .timestamptz, .timestamptz]
  private static let walletColumns: [DataType] = [
    .uuid, .uuid, .text, .text, .text, .text, .text, .timestamptz, .timestamptz,
  ]

  static let usersByID = Statement(
    """
    select id, email, name, last_login_at, created_at from users where id = any($1) order by id
    """, parameters: [.uuidArray], columns: userColumns)

  // A window of the primary key, and of it those who are active: each statement is short however few they are.
  static let usersInOrder = Statement(
    """
    select id, email, name, last_login_at, created_at
    from (select * from users where id > $1 order by id limit $2) as part
    where $3::timestamptz is null or last_login_at > $3
    order by id
    """, parameters: [.uuid, .int8, .timestamptz], columns: userColumns)

  static let walletsByID = Statement(
    """
    select id, user_id, name, network, address, kind, status, created_at, updated_at
    from wallets where id = any($1) order by id
    """, parameters: [.uuidArray], columns: walletColumns)

  static let walletsInOrder = Statement(
    """
    select id, user_id, name, network, address, kind, status, created_at, updated_at
    from (select * from wallets where id > $1 order by id limit $2) as part
    where $3::timestamptz is null
      or exists (select from users u where u.id = part.user_id and u.last_login_at > $3)
    order by id
    """, parameters: [.uuid, .int8, .timestamptz], columns: walletColumns)

  static let assets = Statement(
    """
    select a.wallet_id, a.currency, c.scale, a.balance, a.held, a.version, a.updated_at
    from assets a join currencies c on c.code = a.currency
    where a.wallet_id = any($1)
    order by a.wallet_id, a.currency
    """, parameters: [.uuidArray], columns: [.uuid, .text, .int2, .numeric, .numeric, .int8, .timestamptz])

  // Where the window ends that `usersInOrder` looks at; no row when it is the last one.
  static let userWindowEnd = Statement(
    "select id from users where id > $1 order by id offset $2 limit 1",
    parameters: [.uuid, .int8], columns: [.uuid])

  static let walletWindowEnd = Statement(
    "select id from wallets where id > $1 order by id offset $2 limit 1",
    parameters: [.uuid, .int8], columns: [.uuid])
}
