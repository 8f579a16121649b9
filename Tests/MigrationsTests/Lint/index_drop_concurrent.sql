-- expect: nothing
drop index concurrently if exists i;
