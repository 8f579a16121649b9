-- expect: column_type_change
alter table orders alter column number type bigint;
