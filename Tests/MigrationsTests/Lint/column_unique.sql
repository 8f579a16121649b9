-- expect: constraint_builds_index
alter table orders add column token text unique;
