-- expect: validate_in_same_transaction
begin;
alter table orders add constraint k foreign key (customer_id) references customers (id) not valid;
alter table orders validate constraint k;
commit;
