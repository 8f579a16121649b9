-- expect: nothing
begin;
lock table orders in row exclusive mode;
commit;
