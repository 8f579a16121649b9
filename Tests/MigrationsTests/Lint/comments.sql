-- expect: index_not_concurrent
/* create index concurrently */ create /* not concurrently */ index "create" on "Orders" ("concurrently"); -- drop table x;
