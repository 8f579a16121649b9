-- expect: add_column_rewrites
alter table orders add column token uuid default gen_random_uuid();
