-- expect: add_column_not_null
alter table orders add column status text not null;
