-- expect: nothing
alter table orders add constraint once unique using index orders_number;
