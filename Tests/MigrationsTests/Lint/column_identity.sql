-- expect: add_column_rewrites
alter table orders add column n bigint generated always as identity;
