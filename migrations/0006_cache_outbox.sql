-- The cache's outbox: what could not be fenced in Redis before its COMMIT, to be fenced later (docs/cache.md).

-- migrate: up

create table ironforge.cache_outbox (
  id         bigint generated always as identity primary key,
  -- Names of cached values: user:<id>, wallet:<id>.
  keys       text[] not null,
  -- The transaction that changed them: the fence that each of them is to get.
  xid        xid8 not null default pg_current_xact_id(),
  created_at timestamptz not null default now()
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000); -- empty, as a rule

-- migrate: down

drop table ironforge.cache_outbox;
