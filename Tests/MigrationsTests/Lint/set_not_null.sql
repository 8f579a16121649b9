-- expect: set_not_null
alter table orders alter column placed set not null;
