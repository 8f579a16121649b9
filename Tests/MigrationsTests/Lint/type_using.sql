-- expect: column_type_change
alter table orders alter column placed type date using placed::date;
