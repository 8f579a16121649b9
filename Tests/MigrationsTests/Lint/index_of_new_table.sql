-- expect: nothing
create table orders (id bigint primary key, placed date);
create index i on orders (placed);
alter table orders add check (placed > '2000-01-01');
alter table orders alter column placed set not null;
