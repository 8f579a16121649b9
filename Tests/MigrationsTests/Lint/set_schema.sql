-- expect: rename
alter table orders set schema archive;
