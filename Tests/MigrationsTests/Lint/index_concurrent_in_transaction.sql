-- expect: concurrently_in_transaction
begin;
create index concurrently i on orders (placed);
commit;
