-- The usage ledger: how often each index was read, on every server of the cluster, across resets, crashes and
-- failovers (docs/indexes.md).
--
-- Counters belong to a server, not to a role: a standby that is promoted takes its own with it. A snapshot writes only
-- what has changed, days are rolled up into months, and what is older than 400 days goes, so the size is bounded by
-- indexes and servers, not by snapshots.

-- migrate: up

create table ironforge.index_servers (
  -- Given by the one snapshot that runs at a time.
  id                integer primary key,
  -- Where it was last reached, host and port; not what it is told apart by.
  name              text not null,
  is_standby        boolean not null,
  system_identifier bigint not null,
  timeline          integer not null,
  -- pg_postmaster_start_time().
  started_at        timestamptz not null,
  -- Of pg_stat_bgwriter: moves when all counters are lost, stays in a clean restart.
  shared_reset_at   timestamptz,
  -- Of pg_stat_database.
  database_reset_at timestamptz,
  -- From when on its counters are known, apart from the gaps.
  covered_from      timestamptz not null,
  heard_at          timestamptz not null,
  -- When it was seen to be a part of the cluster no more.
  left_at           timestamptz
);

-- Times of which nobody knows what a server counted.
create table ironforge.index_gaps (
  server_id integer not null references ironforge.index_servers (id) on delete cascade,
  from_at   timestamptz not null,
  to_at     timestamptz not null check (to_at >= from_at),
  cause     text not null check (cause in ('crash', 'reset', 'left')),
  primary key (server_id, from_at, to_at)
);

create table ironforge.index_history (
  id            bigint primary key,
  -- In pg_class of the primary; bigint, because oid has no arithmetic.
  oid           bigint not null,
  schema_name   text not null,
  table_name    text not null,
  index_name    text not null,
  -- SHA-256 of what it indexes, without the names of index and table: knows a rebuilt index again.
  definition    text not null,
  relfilenode   bigint not null,
  first_seen_at timestamptz not null,
  -- The latest moment at which it may have been read, on any server; null where none is known.
  used_at       timestamptz,
  -- When a snapshot saw it with another OID than the one before.
  rebuilt_at    timestamptz,
  -- How long its own counters were lost, where the server's were not: rebuilds, resets of one index.
  lost_seconds  bigint not null default 0,
  size_bytes    bigint not null,
  -- Entries, as the planner takes them; null where nobody has counted.
  tuples        bigint,
  -- The densest that this relfilenode ever was: bytes per tuple are the quotient.
  best_bytes    bigint,
  best_tuples   bigint check (best_tuples > 0)
) with (fillfactor = 70); -- the size changes again and again: room for HOT

-- The counters as a server last showed them, for indexes that it has read.
create table ironforge.index_counters (
  server_id      integer not null references ironforge.index_servers (id) on delete cascade,
  index_id       bigint not null references ironforge.index_history (id) on delete cascade,
  scans          bigint not null,
  tuples_read    bigint not null,
  tuples_fetched bigint not null,
  -- The sum of all that is known of, which no reset takes back.
  scans_known    bigint not null,
  used_at        timestamptz not null,
  primary key (index_id, server_id)
) with (fillfactor = 70);

create table ironforge.index_usage_days (
  index_id       bigint not null references ironforge.index_history (id) on delete cascade,
  server_id      integer not null references ironforge.index_servers (id) on delete cascade,
  -- UTC; the first of a month that is rolled up stands for all of it.
  day            date not null,
  scans          bigint not null,
  tuples_read    bigint not null,
  tuples_fetched bigint not null,
  primary key (index_id, day, server_id)
);

-- For the cascades.
create index index_counters_server on ironforge.index_counters (server_id);
create index index_usage_days_server on ironforge.index_usage_days (server_id);

-- An audit needs no more than pg_monitor.
grant select on ironforge.index_servers, ironforge.index_gaps, ironforge.index_history, ironforge.index_counters,
  ironforge.index_usage_days to pg_monitor;

-- migrate: down

drop table ironforge.index_usage_days;
drop table ironforge.index_counters;
drop table ironforge.index_history;
drop table ironforge.index_gaps;
drop table ironforge.index_servers;
