-- expect: lock_table
begin;
lock table orders in share row exclusive mode;
commit;
