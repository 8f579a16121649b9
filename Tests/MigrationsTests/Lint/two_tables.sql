-- expect: several_exclusive_locks
begin;
alter table orders add column a text;
alter table customers add column b text;
commit;
