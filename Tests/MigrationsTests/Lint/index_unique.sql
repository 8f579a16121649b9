-- expect: index_not_concurrent
create unique index i on sales.orders (placed) where open;
