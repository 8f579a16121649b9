-- Jobs: runs, the chunks that are planned but not folded into their run yet, and the rows that failed.
--
-- A chunk is marked done in the transaction that did its work. That is the whole of "exactly once": whatever dies,
-- the mark and the work are both there, or neither is.

-- migrate: up

create table ironforge.job_runs (
  -- UUIDv7: the order of ids is the order of creation.
  id              uuid primary key,
  job             text not null,
  -- What makes it this work and no other: the job's own options, as strings.
  options         jsonb not null check (jsonb_typeof(options) = 'object'),
  -- SHA-256 of job and options.
  fingerprint     text not null,
  -- The advisory lock that the owner of the run holds for as long as it lives; its two numbers in one.
  lock_key        bigint not null,
  state           text not null
    check (state in ('running', 'paused', 'interrupted', 'failed', 'cancelled', 'done')),
  -- Counts the owners. Whatever belongs to an earlier one is refused.
  attempt         integer not null default 1,
  owner           text not null,
  -- How hard it may work: as its last owner was told.
  chunk_size      bigint not null check (chunk_size > 0),
  concurrency     bigint not null check (concurrency > 0),
  max_rate        bigint check (max_rate > 0),
  max_lag_seconds double precision check (max_lag_seconds >= 0),
  max_failures    bigint not null check (max_failures >= 0),
  key_columns     text[] not null,
  -- Keys are text, a column each; chunks up to and including this key are planned.
  planned_to      text[],
  -- The last key when the run began: rows beyond it are none of this run.
  end_key         text[],
  is_planned      boolean not null,
  total           bigint not null,
  is_total_exact  boolean not null,
  done            bigint not null default 0,
  affected        bigint not null default 0,
  failed          bigint not null default 0,
  rows_per_second double precision not null default 0,
  throttled_by    text,
  throttle_detail text,
  error_code      text,
  error_message   text,
  created_at      timestamptz not null default clock_timestamp(),
  started_at      timestamptz not null default clock_timestamp(),
  heartbeat_at    timestamptz not null default clock_timestamp(),
  finished_at     timestamptz
) with (fillfactor = 50); -- progress is an update a few times a second: room for HOT

-- The same work has one run at a time.
create unique index job_runs_unfinished on ironforge.job_runs (fingerprint)
  where state not in ('done', 'cancelled');
create index job_runs_job on ironforge.job_runs (job, id);

create table ironforge.job_chunks (
  run_id    uuid not null references ironforge.job_runs (id) on delete cascade,
  number    bigint generated always as identity,
  first_key text[] not null,
  last_key  text[] not null,
  -- How many rows the plan saw.
  rows      bigint not null check (rows > 0),
  is_done   boolean not null default false,
  visited   bigint not null default 0,
  affected  bigint not null default 0,
  failed    bigint not null default 0,
  primary key (run_id, number)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000); -- small, and all of it churns

create table ironforge.job_failures (
  run_id     uuid not null references ironforge.job_runs (id) on delete cascade,
  number     bigint generated always as identity,
  key        text[] not null,
  -- SQLSTATE, or the code of a business rule.
  code       text not null,
  message    text not null,
  failed_at  timestamptz not null default clock_timestamp(),
  -- The run that has tried it again.
  retried_by uuid,
  primary key (run_id, number)
);

-- migrate: down

drop table ironforge.job_failures;
drop table ironforge.job_chunks;
drop table ironforge.job_runs;
