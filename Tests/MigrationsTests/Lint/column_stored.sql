-- expect: add_column_rewrites
alter table orders add column total numeric generated always as (price * quantity) stored;
