internal import Postgres

/// What a chunk sends besides `TransferStatements` when it has to do with holds and reversals.
enum HoldStatements {
  static let all = [find, resolutions, referred, insertLinked, insertPendingLines, resolve]

  /// Finds the transfers that requests call by an id, a key, or the key of a capture, before anything is locked:
  /// which assets a transfer has to do with never changes. An id comes before a key that looks like it.
  static let find = Statement(
    """
    select n.name, t.id, t.key, t.from_wallet_id, t.to_wallet_id, t.currency
    from unnest($1::text[], $2::uuid[]) as n (name, id)
    cross join lateral (
      select * from transfers where id = n.id
      union all
      select * from transfers where key = n.name
      union all
      select t.* from hold_resolutions h join transfers t on t.id = h.hold_id where h.key = n.name
      limit 1
    ) t
    """,
    parameters: [.textArray, .uuidArray], columns: [.text, .uuid, .text, .uuid, .uuid, .text])

  /// Which of the requests' keys have captured or voided a hold, with the hold as it is now.
  static let resolutions = Statement(
    """
    select h.key, h.kind, h.amount, h.memo, h.created_at, t.id, t.key,
      (select scale from currencies where code = t.currency), \(StoredTransfer.columns)
    from unnest($1::text[]) as k (key)
    cross join lateral (select * from hold_resolutions where key = k.key limit 1) h
    cross join lateral (select * from transfers where id = h.hold_id limit 1) t
    """,
    parameters: [.textArray],
    columns: [.text, .text, .numeric, .text, .timestamptz, .uuid, .text, .int2] + StoredTransfer.types)

  /// The transfers that requests refer to, and how much of each was reversed: after the locks, so that nobody
  /// changes what is read here.
  static let referred = Statement(
    """
    select t.id, t.key, (select scale from currencies where code = t.currency),
      (select coalesce(sum(r.amount), 0) from transfers r
       where r.ref = t.id and r.kind = 'reverse' and r.status = 'posted'),
      \(StoredTransfer.columns)
    from unnest($1::uuid[]) as n (id)
    cross join lateral (select * from transfers where id = n.id limit 1) t
    """,
    parameters: [.uuidArray], columns: [.uuid, .text, .int2, .numeric] + StoredTransfer.types)

  /// Stores holds, reversals, and refusals of what refers to another transfer.
  static let insertLinked = Statement(
    """
    insert into transfers
      (id, key, from_wallet_id, to_wallet_id, currency, amount, kind, status, code, memo, created_at, ref,
       hold_amount, expires_at)
    select * from unnest(
      $1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::text[], $6::numeric[], $7::text[], $8::text[],
      $9::text[], $10::text[], $11::timestamptz[], $12::uuid[], $13::numeric[], $14::timestamptz[])
    """,
    parameters: [
      .uuidArray, .textArray, .uuidArray, .uuidArray, .textArray, .numericArray, .textArray, .textArray,
      .textArray, .textArray, .timestamptzArray, .uuidArray, .numericArray, .timestamptzArray,
    ])

  /// Stores the two lines of each new hold.
  static let insertPendingLines = Statement(
    """
    insert into transactions (id, transfer_id, wallet_id, currency, amount, created_at, status)
    select ironforge.entry_id(t.id, side.number), t.id,
      case side.number when 1 then t.from_wallet_id else t.to_wallet_id end, t.currency,
      case side.number when 1 then -t.amount else t.amount end, t.created_at, 'pending'
    from unnest($1::uuid[]) as n (id)
    cross join lateral (select * from transfers where id = n.id limit 1) t
    cross join (values (1), (2)) as side (number)
    """, parameters: [.uuidArray])

  /// Ends holds. Their two lines become the posted ones, or are voided with the hold; what a capture or a void did
  /// is stored under its key.
  static let resolve = Statement(
    """
    with ended as (
      update transfers t
      set status = r.status, amount = r.amount, resolved_at = r.at
      from unnest($1::uuid[], $2::text[], $3::numeric[], $4::timestamptz[]) as r (id, status, amount, at)
      where t.id = r.id
    ), freed as (
      update transactions e
      set status = 'voided'
      from unnest($1::uuid[], $2::text[]) as r (id, status)
      where r.status <> 'posted' and e.id in (ironforge.entry_id(r.id, 1), ironforge.entry_id(r.id, 2))
    ), posted as (
      update transactions e
      set status = 'posted', amount = p.amount, balance_after = p.balance_after, version = p.version,
        created_at = p.at
      from unnest($5::uuid[], $6::numeric[], $7::numeric[], $8::bigint[], $9::timestamptz[])
        as p (id, amount, balance_after, version, at)
      where e.id = p.id
    )
    insert into hold_resolutions (key, kind, hold_id, amount, memo, created_at)
    select * from unnest($10::text[], $11::text[], $12::uuid[], $13::numeric[], $14::text[], $15::timestamptz[])
    """,
    parameters: [
      .uuidArray, .textArray, .numericArray, .timestamptzArray,
      .uuidArray, .numericArray, .numericArray, .int8Array, .timestamptzArray,
      .textArray, .textArray, .uuidArray, .numericArray, .textArray, .timestamptzArray,
    ])
}
