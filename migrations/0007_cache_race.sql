-- Rows that `ironforge cache race` writes and reads through the cache, and removes at its end. Nobody else needs them.

-- migrate: up

create table ironforge.race_rows (
  race       uuid not null,
  id         integer not null,
  -- Rises by one with each write.
  version    bigint not null,
  -- A race that was killed leaves its rows to the next one.
  created_at timestamptz not null default clock_timestamp(),
  primary key (race, id)
) with (fillfactor = 50); -- nothing but updates: room for HOT

-- migrate: down

drop table ironforge.race_rows;
