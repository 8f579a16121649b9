-- The ledger: what wallets hold, transfers, and their entries.
--
-- Amounts are whole minor units; `numeric(38,0)` holds every amount exactly.

-- migrate: up

create table public.assets (
  wallet_id   uuid not null,
  currency    text collate "C" not null references public.currencies (code),
  -- The wallet's kind and status stand here too, so that whoever has locked an asset knows all that the rules ask
  -- of it. The kind never changes; the status is carried over by wallets_status, below.
  wallet_kind   text not null default 'standard',
  wallet_status text not null default 'active',
  balance     numeric(38,0) not null default 0,
  held        numeric(38,0) not null default 0 check (held >= 0),
  -- How many posted entries there are: the last one bears this number.
  version     bigint not null default 0 check (version >= 0),
  created_at  timestamptz not null default now(),
  updated_at  timestamptz not null default now(),
  primary key (wallet_id, currency),
  foreign key (wallet_id, wallet_kind) references public.wallets (id, kind),
  -- The last line of defence: whatever a program does, a standard wallet cannot spend what it has not.
  constraint assets_not_overdrawn check (wallet_kind = 'external' or balance >= held)
) with (fillfactor = 70); -- room on the page for HOT updates of balances

create table public.transfers (
  -- UUIDv7 whose time is created_at and whose two last bits are clear; entries have them set to 1 and 2.
  id             uuid primary key,
  key            text collate "C" not null unique check (octet_length(key) between 1 and 200),
  from_wallet_id uuid not null,
  to_wallet_id   uuid not null check (to_wallet_id <> from_wallet_id),
  currency       text collate "C" not null,
  amount         numeric(38,0) not null check (amount > 0),
  kind           text not null default 'transfer' check (kind in ('transfer')),
  status         text not null check (status in ('posted', 'pending', 'voided', 'expired', 'refused')),
  -- Why it was refused.
  code           text check ((code is not null) = (status = 'refused')),
  memo           text,
  created_at     timestamptz not null default now()
);
-- Posted transfers of a wallet are found through its entries; refusals have none. There are few of them.
create index transfers_refused_from on public.transfers (from_wallet_id, id) where status = 'refused';
create index transfers_refused_to on public.transfers (to_wallet_id, id) where status = 'refused';

create table public.transactions (
  id            uuid primary key,
  transfer_id   uuid not null,
  wallet_id     uuid not null,
  currency      text collate "C" not null,
  amount        numeric(38,0) not null check (amount <> 0),
  balance_after numeric(38,0),
  version       bigint,
  status        text not null check (status in ('posted', 'pending', 'voided')),
  created_at    timestamptz not null default now(),
  check ((status = 'posted') = (version is not null)),
  check ((status = 'posted') = (balance_after is not null))
);
create index idx_tx_wallet_status_time on public.transactions (wallet_id, status, created_at desc);

-- The id of a transfer's entry: 1 takes from the source, 2 gives to the destination.
create function ironforge.entry_id(transfer uuid, side int) returns uuid
language sql immutable strict parallel safe
as $$ select encode(set_byte(uuid_send(transfer), 15, get_byte(uuid_send(transfer), 15) & 252 | side), 'hex')::uuid $$;

-- The time in a UUIDv7, rounded down to the millisecond.
create function ironforge.id_time(id uuid) returns timestamptz
language sql immutable strict parallel safe
as $$
  select 'epoch'::timestamptz + interval '1 millisecond'
    * least(('x' || encode(substring(uuid_send(id) from 1 for 6), 'hex'))::bit(48)::bigint, 9000000000000000)
$$;

-- Integrity of what is inserted. Foreign keys check a row at a time and cost a batch more than all the rest; a
-- trigger over a whole statement costs a fifth and also holds the law of double entry, whoever writes
-- (docs/ledger.md). A posted transfer is vouched for by its entries, whose assets have foreign keys to wallets
-- and currencies; only a transfer without posted entries is looked at by itself.

create function ironforge.check_transfer() returns trigger
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

create function ironforge.check_transactions() returns trigger
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
create trigger transactions_integrity after insert on public.transactions
  referencing new table as inserted
  for each statement execute function ironforge.check_transactions();

-- A wallet's new status reaches its assets in the same transaction, whoever changes it. That takes the locks of
-- the assets: transfers in flight end first, and none that comes later sees the old status.
create function ironforge.carry_wallet_status() returns trigger
language plpgsql
as $$
begin
  update public.assets set wallet_status = new.status where wallet_id = new.id;
  return null;
end
$$;
create trigger wallets_status after update of status on public.wallets
  for each row when (new.status <> old.status) execute function ironforge.carry_wallet_status();

-- An asset keeps its wallet by foreign key; a recorded refusal has no asset to do it.
create function ironforge.check_wallet_delete() returns trigger
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
create trigger wallets_delete before delete on public.wallets
  for each row execute function ironforge.check_wallet_delete();

-- migrate: down

drop trigger wallets_delete on public.wallets;
drop trigger wallets_status on public.wallets;
drop function ironforge.carry_wallet_status();
drop function ironforge.check_wallet_delete();
drop table public.transactions;
drop table public.transfers;
drop table public.assets;
drop function ironforge.entry_id(uuid, int);
drop function ironforge.id_time(uuid);
drop function ironforge.check_transactions();
drop function ironforge.check_transfer();
