-- expect: nothing
create function f() returns void language sql as $$ update orders set a = 1; drop table orders $$;
create or replace view v as select 1;
