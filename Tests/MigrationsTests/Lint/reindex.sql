-- expect: reindex_not_concurrent
reindex table orders;
