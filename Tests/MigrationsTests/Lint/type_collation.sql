-- expect: column_type_change
create table words (word text);
-- migrate: no-transaction
