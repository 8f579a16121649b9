internal import Postgres

/// What a chunk of transfers sends, in this order: lock, read, write.
enum TransferStatements {
  static let all = [lock, look, read, settle, createAssets, write] + HoldStatements.all

  /// Locks the assets of a chunk in the order in which they are sent: by wallet and currency, whatever the
  /// direction of the transfers. The subquery locks, so it cannot be merged into a join, and runs once for each
  /// key in turn.
  static let lock = Statement(
    """
    select a.*
    from unnest($1::uuid[], $2::text[]) as k (wallet_id, currency)
    cross join lateral (
      select a.wallet_id, a.currency, a.balance, a.held, a.version, a.updated_at, a.wallet_kind, a.wallet_status,
        clock_timestamp()
      from assets a
      where a.wallet_id = k.wallet_id and a.currency = k.currency
      for no key update
    ) a
    """,
    parameters: [.uuidArray, .textArray], columns: assetColumns)

  private static let assetColumns: [DataType] = [
    .uuid, .text, .numeric, .numeric, .int8, .timestamptz, .text, .text, .timestamptz,
  ]

  /// The same without locks, for a dry run in a read-only transaction.
  static let look = Statement(
    """
    select wallet_id, currency, balance, held, version, updated_at, wallet_kind, wallet_status, clock_timestamp()
    from assets
    where (wallet_id, currency) in (select w, c from unnest($1::uuid[], $2::text[]) as k (w, c))
    """,
    parameters: [.uuidArray, .textArray], columns: assetColumns)

  /// Reads everything else that the rules need, one row a request. A statement of its own after the locks: its
  /// snapshot is then younger than the locks, and sees what those who held them before have committed.
  /// Identity (the key) is read here and not before, or two requests with one key could both find it free.
  /// Each subquery is one descent of an index, whatever the planner thinks of the tables' sizes: LIMIT keeps it
  /// from becoming a join that reads a table whole.
  static let read = Statement(
    """
    select clock_timestamp(), (select scale from currencies where code = r.currency),
      source.kind, source.status, destination.kind, destination.status, t.*
    from unnest($1::text[], $2::uuid[], $3::uuid[], $4::text[]) with ordinality
      as r (key, from_id, to_id, currency, position)
    left join lateral (
      select kind, status from wallets where id = r.from_id limit 1
    ) source on true
    left join lateral (
      select kind, status from wallets where id = r.to_id limit 1
    ) destination on true
    left join lateral (
      select t.id, \(StoredTransfer.columns)
      from transfers t
      where t.key = r.key
      limit 1
    ) t on true
    order by r.position
    """,
    parameters: [.textArray, .uuidArray, .uuidArray, .textArray],
    columns: [.timestamptz, .int2, .text, .text, .text, .text, .uuid] + StoredTransfer.types)

  /// Set once on a session that runs many chunks. Generic plans: planning costs more than running, and the
  /// server's estimate for arrays never lets it settle for them. Nested loops over indexes: a plan is kept while
  /// tables grow, and one that was made when they were empty would read them whole for ever.
  static let settle = Statement(
    """
    select set_config('plan_cache_mode', 'force_generic_plan', $1), set_config('enable_hashjoin', 'off', $1),
      set_config('enable_mergejoin', 'off', $1), set_config('enable_seqscan', 'off', $1),
      set_config('jit', 'off', $1)
    """, parameters: [.bool], columns: [.text, .text, .text, .text, .text])

  /// Creates assets that did not exist when the chunk was locked. Somebody else may have created one since
  /// (unique violation), or frozen or closed the wallet: then the row is missing and the entries are refused by
  /// `transactions_integrity`. Either error aborts the transaction, and the chunk is run again.
  static let createAssets = Statement(
    """
    insert into assets (wallet_id, currency, wallet_kind, balance, held, version, created_at, updated_at)
    select n.wallet_id, n.currency, w.kind, n.balance, n.held, n.version, n.at, n.at
    from (
      select w.id, w.kind from wallets w
      where w.id = any($1) and w.status = 'active'
      order by w.id for share
    ) w
    join unnest($1::uuid[], $2::text[], $3::numeric[], $4::numeric[], $5::bigint[], $6::timestamptz[])
      as n (wallet_id, currency, balance, held, version, at) on n.wallet_id = w.id
    order by n.wallet_id, n.currency
    """,
    parameters: [.uuidArray, .textArray, .numericArray, .numericArray, .int8Array, .timestamptzArray])

  /// Writes a chunk: plain transfers, posted entries and the new balances of assets, a hot one only once. One
  /// statement costs the server less than three. `HoldStatements` has what a chunk needs besides, if it needs it.
  static let write = Statement(
    """
    with new_transfers as (
      insert into transfers
        (id, key, from_wallet_id, to_wallet_id, currency, amount, kind, status, code, memo, created_at)
      select * from unnest(
        $1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::text[], $6::numeric[], $7::text[], $8::text[],
        $9::text[], $10::text[], $11::timestamptz[])
    ), new_entries as (
      insert into transactions
        (id, transfer_id, wallet_id, currency, amount, balance_after, version, created_at, status)
      select e.*, 'posted' from unnest(
        $12::uuid[], $13::uuid[], $14::uuid[], $15::text[], $16::numeric[], $17::numeric[], $18::bigint[],
        $19::timestamptz[]) as e
    )
    update assets a
    set balance = n.balance, held = n.held, version = n.version, updated_at = n.at
    from unnest($20::uuid[], $21::text[], $22::numeric[], $23::numeric[], $24::bigint[], $25::timestamptz[])
      as n (wallet_id, currency, balance, held, version, at)
    where a.wallet_id = n.wallet_id and a.currency = n.currency
    """,
    parameters: [
      .uuidArray, .textArray, .uuidArray, .uuidArray, .textArray, .numericArray, .textArray, .textArray,
      .textArray, .textArray, .timestamptzArray,
      .uuidArray, .uuidArray, .uuidArray, .textArray, .numericArray, .numericArray, .int8Array,
      .timestamptzArray,
      .uuidArray, .textArray, .numericArray, .numericArray, .int8Array, .timestamptzArray,
    ])
}
