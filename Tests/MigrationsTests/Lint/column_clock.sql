-- expect: add_column_rewrites
alter table orders add column seen timestamptz default clock_timestamp();
