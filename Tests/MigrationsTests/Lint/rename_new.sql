-- expect: nothing
create table t_new (id bigint primary key);
alter table t_new rename to t;
create index i on t (id);
