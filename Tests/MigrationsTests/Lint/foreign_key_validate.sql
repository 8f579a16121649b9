-- expect: nothing
alter table orders validate constraint k;
