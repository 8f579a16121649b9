-- The usage ledger also knows since when an index has stood alone, and which database it tells of (docs/indexes.md).

-- migrate: up

alter table ironforge.index_servers
  -- pg_database.oid; null in rows of before. CREATE DATABASE with a template copies the ledger.
  add column database_oid bigint;

alter table ironforge.index_history
  -- When another index of the table went that may have been read in this one's stead.
  add column relieved_at timestamptz,
  -- OIDs of indexes that do all that this one does.
  add column covered_by  bigint[] not null default '{}';

-- migrate: down

alter table ironforge.index_history drop column covered_by, drop column relieved_at;
alter table ironforge.index_servers drop column database_oid;
