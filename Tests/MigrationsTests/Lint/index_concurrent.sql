-- expect: nothing
create index concurrently i on orders (placed);
