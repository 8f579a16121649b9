-- expect: drop_column
alter table orders drop column note;
