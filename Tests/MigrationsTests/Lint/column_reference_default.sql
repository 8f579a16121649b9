-- expect: foreign_key_validates
alter table orders add column customer_id bigint default 1 references customers (id);
