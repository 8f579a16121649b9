-- Holds, what resolves them, and reversals (docs/ledger.md).

-- migrate: up

alter table public.transfers
  drop constraint transfers_kind_check,
  -- What a reversal reverses, and what a refused capture, void or reversal named.
  add column ref         uuid,
  -- What a hold has set aside; a capture may take less, and `amount` then says how much.
  add column hold_amount numeric(38,0),
  add column expires_at  timestamptz,
  -- When a hold was captured, voided or expired.
  add column resolved_at timestamptz,
  -- A capture or a void that succeeds is no transfer of its own; see hold_resolutions. One CASE, because a plain
  -- transfer then costs one comparison.
  add constraint transfers_kind_check check (
    case kind
      when 'transfer' then
        status in ('posted', 'refused') and ref is null
        and hold_amount is null and expires_at is null and resolved_at is null
      when 'hold' then
        ref is null and hold_amount is not null and hold_amount >= amount
        and (resolved_at is not null) = (status in ('posted', 'voided', 'expired'))
      when 'reverse' then
        status in ('posted', 'refused') and ref is not null
        and hold_amount is null and expires_at is null and resolved_at is null
      when 'capture' then status = 'refused' and ref is not null and hold_amount is null and expires_at is null
      when 'void' then status = 'refused' and ref is not null and hold_amount is null and expires_at is null
      else false
    end);

-- Reversals of a transfer. There are few of them.
create index transfers_ref on public.transfers (ref) where ref is not null;
-- Open holds, for those who settle and expire them.
create index transfers_pending on public.transfers (id) include (expires_at) where status = 'pending';
-- Posted transfers of a wallet are found through their entries. Refusals have none, and the entries of a captured
-- hold bear the time of the capture.
drop index public.transfers_refused_from, public.transfers_refused_to;
create index transfers_special_from on public.transfers (from_wallet_id, id)
  where status = 'refused' or kind = 'hold';
create index transfers_special_to on public.transfers (to_wallet_id, id)
  where status = 'refused' or kind = 'hold';

-- How holds were resolved, by the key of the request that did it. A capture makes the hold itself the posted
-- transfer, so it needs no row in transfers; its key must be as unique as if it had one.
create table public.hold_resolutions (
  key        text collate "C" primary key check (octet_length(key) between 1 and 200),
  kind       text not null check (kind in ('capture', 'void')),
  -- Each hold is resolved once, whatever a program does.
  hold_id    uuid not null unique references public.transfers (id),
  amount     numeric(38,0) check ((amount is not null) = (kind = 'capture') and amount > 0),
  memo       text,
  created_at timestamptz not null
);

-- Sessions keep the plans of these functions. One that was made while a table was small reads it whole, and would do so
-- for each of the hundred thousand rows of a batch that fills it; hence enable_seqscan.

-- A key is used once, in transfers or in hold_resolutions. A row that is stored in transfers and taken out again at
-- once makes use of its unique index: it is refused where the key is taken, it waits for a transaction that is about
-- to take it, and one that comes later waits for us; that one is then refused by the triggers below.
create function ironforge.reserve_key() returns trigger
language plpgsql
set enable_seqscan = off
as $$
declare
  reserved uuid := ironforge.uuid_v7();
begin
  insert into public.transfers
    (id, key, from_wallet_id, to_wallet_id, currency, amount, kind, status, code, ref)
  select reserved, new.key, t.from_wallet_id, t.to_wallet_id, t.currency, t.amount, new.kind, 'refused',
    'reserved', t.id
  from public.transfers t where t.id = new.hold_id;
  delete from public.transfers where id = reserved;
  return new;
end
$$;
create trigger hold_resolutions_key before insert on public.hold_resolutions
  for each row execute function ironforge.reserve_key();

create or replace function ironforge.check_transfer() returns trigger
language plpgsql
set enable_seqscan = off
as $$
begin
  if not exists (select from public.wallets w where w.id = new.from_wallet_id)
    or not exists (select from public.wallets w where w.id = new.to_wallet_id)
    or not exists (select from public.currencies c where c.code = new.currency)
    or (new.ref is not null and not exists (select from public.transfers t where t.id = new.ref))
  then
    raise foreign_key_violation using
      message = 'a transfer names a wallet, a currency or a transfer that does not exist',
      table = 'transfers', schema = 'public';
  end if;
  if exists (select from public.hold_resolutions r where r.key = new.key) then
    raise unique_violation using
      message = 'this key has resolved a hold', table = 'transfers', schema = 'public';
  end if;
  -- The assets of both are locked by whoever reverses, so no other reversal of the same transfer is under way.
  if new.kind = 'reverse' and new.status = 'posted' and (
    select o.status <> 'posted' or o.amount < (
      select sum(r.amount) from public.transfers r
      where r.ref = o.id and r.kind = 'reverse' and r.status = 'posted')
    from public.transfers o where o.id = new.ref)
  then
    raise check_violation using
      message = 'reversals never exceed a posted transfer', table = 'transfers', schema = 'public';
  end if;
  return null;
end
$$;
drop trigger transfers_integrity on public.transfers;
create trigger transfers_integrity after insert on public.transfers
  for each row when (new.status <> 'posted' or new.ref is not null) execute function ironforge.check_transfer();

create or replace function ironforge.check_transactions() returns trigger
language plpgsql
set enable_seqscan = off
as $$
declare
  broken record;
begin
  -- One query for all laws: a second one would cost every small transfer as much again. A transfer and its key are
  -- looked up once for all of its entries.
  select e.total, e.is_mixed, reuse.ok is not null as is_reused into broken
  from (
    select i.transfer_id, sum(i.amount) as total, min(i.currency) <> max(i.currency) as is_mixed,
      count(asset.ok) < count(*) as is_orphan
    from inserted i
    left join lateral (
      select 1 as ok from public.assets a where a.wallet_id = i.wallet_id and a.currency = i.currency limit 1
    ) asset on true
    group by i.transfer_id
  ) e
  left join lateral (select t.key from public.transfers t where t.id = e.transfer_id limit 1) transfer on true
  left join lateral (
    select 1 as ok from public.hold_resolutions r where r.key = transfer.key limit 1
  ) reuse on true
  where e.total <> 0 or e.is_mixed or e.is_orphan or transfer.key is null or reuse.ok is not null
  limit 1;
  if not found then
    return null;
  elsif broken.total <> 0 or broken.is_mixed then
    raise check_violation using
      message = 'the entries of a transfer must be of one currency and sum to zero',
      table = 'transactions', schema = 'public';
  elsif broken.is_reused then
    raise unique_violation using
      message = 'this key has resolved a hold', table = 'transfers', schema = 'public';
  else
    raise foreign_key_violation using
      message = 'an entry names a transfer or an asset that does not exist',
      table = 'transactions', schema = 'public';
  end if;
end
$$;

create or replace function ironforge.check_wallet_delete() returns trigger
language plpgsql
as $$
begin
  if exists (select from public.transfers t
      where t.from_wallet_id = old.id and (t.status = 'refused' or t.kind = 'hold'))
    or exists (select from public.transfers t
      where t.to_wallet_id = old.id and (t.status = 'refused' or t.kind = 'hold'))
  then
    raise foreign_key_violation using
      message = 'a wallet with recorded transfers cannot be deleted; close it instead',
      table = 'wallets', schema = 'public';
  end if;
  return old;
end
$$;

-- migrate: down

drop table public.hold_resolutions;
drop function ironforge.reserve_key();
drop index public.transfers_special_from, public.transfers_special_to, public.transfers_pending,
  public.transfers_ref;
drop trigger transfers_integrity on public.transfers;

create or replace function ironforge.check_transfer() returns trigger
language plpgsql
as $$
begin
  if not exists (select from public.wallets w where w.id = new.from_wallet_id)
    or not exists (select from public.wallets w where w.id = new.to_wallet_id)
    or not exists (select from public.currencies c where c.code = new.currency)
  then
    raise foreign_key_violation using
      message = 'a transfer names a wallet or a currency that does not exist',
      table = 'transfers', schema = 'public';
  end if;
  return null;
end
$$;
create trigger transfers_integrity after insert on public.transfers
  for each row when (new.status <> 'posted') execute function ironforge.check_transfer();

create or replace function ironforge.check_transactions() returns trigger
language plpgsql
as $$
declare
  broken record;
begin
  -- One query for both laws: a second one would cost every small transfer as much again.
  select sum(i.amount) as total, min(i.currency) <> max(i.currency) as is_mixed into broken
  from inserted i
  left join lateral (select 1 as ok from public.transfers t where t.id = i.transfer_id limit 1) transfer on true
  left join lateral (
    select 1 as ok from public.assets a where a.wallet_id = i.wallet_id and a.currency = i.currency limit 1
  ) asset on true
  group by i.transfer_id
  having sum(i.amount) <> 0 or min(i.currency) <> max(i.currency)
    or count(transfer.ok) < count(*) or count(asset.ok) < count(*)
  limit 1;
  if not found then
    return null;
  elsif broken.total <> 0 or broken.is_mixed then
    raise check_violation using
      message = 'the entries of a transfer must be of one currency and sum to zero',
      table = 'transactions', schema = 'public';
  else
    raise foreign_key_violation using
      message = 'an entry names a transfer or an asset that does not exist',
      table = 'transactions', schema = 'public';
  end if;
end
$$;

create or replace function ironforge.check_wallet_delete() returns trigger
language plpgsql
as $$
begin
  if exists (select from public.transfers t where t.from_wallet_id = old.id and t.status = 'refused')
    or exists (select from public.transfers t where t.to_wallet_id = old.id and t.status = 'refused')
  then
    raise foreign_key_violation using
      message = 'a wallet with recorded transfers cannot be deleted; close it instead',
      table = 'wallets', schema = 'public';
  end if;
  return old;
end
$$;

-- Refuses to go back where holds, captures or reversals are stored: the old schema cannot tell them.
alter table public.transfers
  drop constraint transfers_kind_check,
  drop column resolved_at,
  drop column expires_at,
  drop column hold_amount,
  drop column ref,
  add constraint transfers_kind_check check (kind in ('transfer'));
create index transfers_refused_from on public.transfers (from_wallet_id, id) where status = 'refused';
create index transfers_refused_to on public.transfers (to_wallet_id, id) where status = 'refused';
