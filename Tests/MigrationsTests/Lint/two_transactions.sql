-- expect: nothing
begin;
alter table orders add column a text;
commit;
begin;
alter table customers add column b text;
commit;
