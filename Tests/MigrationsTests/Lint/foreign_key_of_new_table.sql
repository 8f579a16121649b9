-- expect: nothing
create table lines (id bigint primary key, order_id bigint references orders (id));
