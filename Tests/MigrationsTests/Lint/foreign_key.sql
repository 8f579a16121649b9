-- expect: foreign_key_validates
alter table orders add constraint k foreign key (customer_id) references customers (id);
