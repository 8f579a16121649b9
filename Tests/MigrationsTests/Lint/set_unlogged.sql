-- expect: table_rewrite
alter table orders set unlogged;
