-- expect: index_not_concurrent
create table sales.orders (id bigint primary key, placed date);
create index i on orders (placed);
