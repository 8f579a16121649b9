-- A process can die between the last word on its run and its exit: the same command then tells that end, and repeats
-- nothing (docs/operations.md, "Jobs").

-- migrate: up

-- Until a process has told how the run ended, one that is done stays open to the same command. False by default: a run of an
-- older ironforge is closed when it is done.
alter table ironforge.job_runs add column awaits_report boolean not null default false;

-- lint: allow index_not_concurrent because a job keeps a thousand runs
create index job_runs_untold on ironforge.job_runs (fingerprint)
  where state = 'done' and awaits_report;

-- migrate: down

-- lint: allow index_drop_not_concurrent because a job keeps a thousand runs
drop index ironforge.job_runs_untold;
alter table ironforge.job_runs drop column awaits_report;
