-- expect: check_validates
alter table orders add constraint positive check (price > 0);
