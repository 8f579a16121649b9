-- expect: nothing
create table t_new (id bigint primary key);
alter table t_new set schema archive;
create index i on archive.t_new (id);
alter function f() set schema archive;
