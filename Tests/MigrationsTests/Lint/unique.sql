-- expect: constraint_builds_index
alter table orders add constraint once unique (number);
