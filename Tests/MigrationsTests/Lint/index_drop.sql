-- expect: index_drop_not_concurrent
drop index i;
