-- expect: nothing
alter table orders add column seen timestamptz not null default now();
