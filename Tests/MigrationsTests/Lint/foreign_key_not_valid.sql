-- expect: nothing
alter table orders add constraint k foreign key (customer_id) references customers (id) not valid;
