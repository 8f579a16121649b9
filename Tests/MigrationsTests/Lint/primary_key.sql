-- expect: constraint_builds_index
alter table orders add primary key (number);
