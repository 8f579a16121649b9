-- expect: nothing
create temporary table t (a int);
insert into t select 1;
drop table t;
