-- Users, wallets and currencies. IronForge's own bookkeeping lives in schema `ironforge`; the tables of the
-- wallet backend stand in `public`, where its other programs look for them. They are created by qualified name:
-- for a role named `ironforge` the search path begins with the schema of that name.

-- migrate: up

create schema if not exists ironforge;
-- Other programs insert users and wallets, whose ids default to a function in here.
grant usage on schema ironforge to public;

-- UUIDv7 (RFC 9562, section 5.7) for rows that other programs insert without an id: 48 bits of milliseconds
-- over a random UUID, and the version's four bits. Rising ids keep B-trees compact.
create function ironforge.uuid_v7() returns uuid
language sql volatile parallel safe
as $$
  select encode(
    set_bit(set_bit(
      overlay(uuid_send(gen_random_uuid())
        placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3)
        from 1 for 6),
      52, 1), 53, 1),
    'hex')::uuid
$$;

create table public.users (
  id            uuid primary key default ironforge.uuid_v7(),
  email         text not null unique,
  name          text not null default '',
  last_login_at timestamptz,
  created_at    timestamptz not null default now()
);
create index users_created on public.users (created_at, id);
create index users_last_login on public.users (last_login_at);

create table public.wallets (
  id         uuid primary key default ironforge.uuid_v7(),
  user_id    uuid not null references public.users (id),
  name       text not null,
  network    text not null default 'eth',
  address    text unique check (address ~ '^0x[0-9a-f]{1,64}$'),
  kind       text not null default 'standard' check (kind in ('standard', 'external')),
  status     text not null default 'active' check (status in ('active', 'frozen', 'closed')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (user_id, name),
  -- The target of the foreign key by which an asset knows the kind of its wallet.
  unique (id, kind)
);
create index wallets_created on public.wallets (created_at, id);

create table public.currencies (
  -- Compared by bytes, as the program compares them: the order in which assets are locked depends on it.
  code       text collate "C" primary key check (code ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$'),
  scale      smallint not null check (scale between 0 and 18),
  created_at timestamptz not null default now()
);

-- migrate: down

drop table public.currencies;
drop table public.wallets;
drop table public.users;
drop function ironforge.uuid_v7();
