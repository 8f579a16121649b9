-- expect: nothing
alter table orders add constraint positive check (price > 0) not valid;
