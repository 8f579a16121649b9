internal import Postgres

extension Ledger {
  private static let walletTypes: [DataType] = [
    .uuid, .uuid, .text, .text, .text, .text, .text, .timestamptz, .timestamptz,
  ]

  static let insertWallet = Statement(
    """
    insert into wallets (id, user_id, name, network, address, kind) values ($1, $2, $3, $4, $5, $6)
    on conflict do nothing
    returning id, user_id, name, network, address, kind, status, created_at, updated_at
    """, parameters: [.uuid, .uuid, .text, .text, .text, .text], columns: walletTypes)

  static let selectWallet = Statement(
    """
    select id, user_id, name, network, address, kind, status, created_at, updated_at
    from wallets where id = $1
    """, parameters: [.uuid], columns: walletTypes)

  static let selectWallets = Statement(
    """
    select id, user_id, name, network, address, kind, status, created_at, updated_at
    from wallets
    where ($1::uuid is null or user_id = $1) and ($2::text is null or status = $2)
      and (created_at, id) < ($3, $4)
    order by created_at desc, id desc
    limit $5
    """, parameters: [.uuid, .text, .timestamptz, .uuid, .int8], columns: walletTypes)

  static let selectAssets = Statement(
    """
    select a.wallet_id, a.currency, c.scale, a.balance, a.held, a.version, a.updated_at
    from assets a join currencies c on c.code = a.currency
    where a.wallet_id = any($1)
    order by a.wallet_id, a.currency
    """, parameters: [.uuidArray], columns: [.uuid, .text, .int2, .numeric, .numeric, .int8, .timestamptz])

  static let renameWallet = Statement(
    """
    update wallets set name = $2, updated_at = now() where id = $1
    returning id, user_id, name, network, address, kind, status, created_at, updated_at
    """, parameters: [.uuid, .text], columns: walletTypes)

  // A closed wallet is never found: closing is final.
  static let setStatus = Statement(
    """
    update wallets set status = $2, updated_at = now() where id = $1 and status <> 'closed'
    returning id, user_id, name, network, address, kind, status, created_at, updated_at
    """, parameters: [.uuid, .text], columns: walletTypes)

  static let lockAssets = Statement(
    """
    select balance, held from assets where wallet_id = $1 order by currency for no key update
    """, parameters: [.uuid], columns: [.numeric, .numeric])

  static let findWalletsByAddress = Statement(
    "select address, id from wallets where address = any($1)",
    parameters: [.textArray], columns: [.text, .uuid])

  // Two descents of an index for each name, whatever the planner thinks of the tables: LIMIT keeps them from becoming a
  // join that reads all wallets of a user.
  static let findWalletsByName = Statement(
    """
    select r.email, r.name, w.id
    from unnest($1::text[], $2::text[]) as r (email, name)
    cross join lateral (select id from users where email = r.email limit 1) u
    cross join lateral (select id from wallets where user_id = u.id and name = r.name limit 1) w
    """, parameters: [.textArray, .textArray], columns: [.text, .text, .uuid])
}
