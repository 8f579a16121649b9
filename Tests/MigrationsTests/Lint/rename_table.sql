-- expect: rename
alter table orders rename to purchases;
