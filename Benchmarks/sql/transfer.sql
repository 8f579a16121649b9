-- What `ironforge transfer` sends, as a script for psql: the statements of Sources/Ledger/TransferStatements.swift
-- with their values in place. Variables: key, id (of the transfer), from, to, from_balance, to_balance, version.
\set ON_ERROR_STOP on
begin isolation level read committed;
select a.*
from unnest(array[:'from', :'to']::uuid[], array['USD', 'USD']::text[]) as k (wallet_id, currency)
cross join lateral (
  select a.wallet_id, a.currency, a.balance, a.held, a.version, a.updated_at, a.wallet_kind, a.wallet_status,
    clock_timestamp()
  from assets a
  where a.wallet_id = k.wallet_id and a.currency = k.currency
  for no key update
) a;
select clock_timestamp(), (select scale from currencies where code = r.currency),
  source.kind, source.status, destination.kind, destination.status, t.*
from unnest(array[:'key']::text[], array[:'from']::uuid[], array[:'to']::uuid[], array['USD']::text[]) with ordinality
  as r (key, from_id, to_id, currency, position)
left join lateral (
  select kind, status from wallets where id = r.from_id limit 1
) source on true
left join lateral (
  select kind, status from wallets where id = r.to_id limit 1
) destination on true
left join lateral (
  select t.id, t.from_wallet_id, t.to_wallet_id, t.currency, t.amount, t.kind, t.status, t.code, t.memo,
    t.ref, t.hold_amount, t.expires_at, t.resolved_at,
    (select e.balance_after from transactions e where e.id = ironforge.entry_id(t.id, 1)) as debit,
    (select e.balance_after from transactions e where e.id = ironforge.entry_id(t.id, 2)) as credit
  from transfers t
  where t.key = r.key
  limit 1
) t on true
order by r.position;
select h.key, h.kind, h.amount, h.memo, h.created_at, t.id, t.key,
  (select scale from currencies where code = t.currency),
  t.from_wallet_id, t.to_wallet_id, t.currency, t.amount, t.kind, t.status, t.code, t.memo,
  t.ref, t.hold_amount, t.expires_at, t.resolved_at,
  (select e.balance_after from transactions e where e.id = ironforge.entry_id(t.id, 1)) as debit,
  (select e.balance_after from transactions e where e.id = ironforge.entry_id(t.id, 2)) as credit
from unnest(array[:'key']::text[]) as k (key)
cross join lateral (select * from hold_resolutions where key = k.key limit 1) h
cross join lateral (select * from transfers where id = h.hold_id limit 1) t;
with new_transfers as (
  insert into transfers
    (id, key, from_wallet_id, to_wallet_id, currency, amount, kind, status, code, memo, created_at)
  select * from unnest(
    array[:'id']::uuid[], array[:'key']::text[], array[:'from']::uuid[], array[:'to']::uuid[],
    array['USD']::text[], array[1]::numeric[], array['transfer']::text[], array['posted']::text[],
    array[null]::text[], array[null]::text[], array[now()]::timestamptz[])
), new_entries as (
  insert into transactions
    (id, transfer_id, wallet_id, currency, amount, balance_after, version, created_at, status)
  select e.*, 'posted' from unnest(
    array[ironforge.entry_id(:'id'::uuid, 1), ironforge.entry_id(:'id'::uuid, 2)]::uuid[],
    array[:'id', :'id']::uuid[], array[:'from', :'to']::uuid[], array['USD', 'USD']::text[],
    array[-1, 1]::numeric[], array[:from_balance, :to_balance]::numeric[], array[:version, :version]::bigint[],
    array[now(), now()]::timestamptz[]) as e
)
update assets a
set balance = n.balance, held = n.held, version = n.version, updated_at = n.at
from unnest(
  array[:'from', :'to']::uuid[], array['USD', 'USD']::text[], array[:from_balance, :to_balance]::numeric[],
  array[0, 0]::numeric[], array[:version, :version]::bigint[], array[now(), now()]::timestamptz[])
  as n (wallet_id, currency, balance, held, version, at)
where a.wallet_id = n.wallet_id and a.currency = n.currency;
commit;
