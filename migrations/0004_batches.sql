-- Batch files that were begun, so that a run which was cut short is taken up again (docs/ledger.md).

-- migrate: up

create table ironforge.batches (
  -- The file's SHA-256 in hexadecimal digits: the same file is the same batch, whatever its name.
  sha256      text collate "C" primary key check (sha256 ~ '^[0-9a-f]{64}$'),
  -- What the keys of its rows begin with, where rows have none of their own.
  key_prefix  text not null,
  -- Absolute; null for standard input.
  path        text,
  rows        bigint not null check (rows >= 0),
  -- When its present round began, by this server's clock, in whole milliseconds as the times in identifiers.
  started_at  timestamptz not null,
  -- When a run had told the outcome of every row; null as long as none has.
  finished_at timestamptz
);
create index batches_unfinished on ironforge.batches (path) where finished_at is null;

-- migrate: down

drop table ironforge.batches;
