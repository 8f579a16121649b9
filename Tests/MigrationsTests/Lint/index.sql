-- expect: index_not_concurrent
create index i on orders (placed);
