-- expect: nothing
create table t (id bigint primary key, a text);
create index t_a on t (a);
drop index t_a;
