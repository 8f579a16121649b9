-- expect: column_type_change
alter table orders alter column note type varchar(20);
