-- expect: whole_table_write
delete from orders;
