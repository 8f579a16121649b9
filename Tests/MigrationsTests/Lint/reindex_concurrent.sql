-- expect: nothing
reindex index concurrently i;
