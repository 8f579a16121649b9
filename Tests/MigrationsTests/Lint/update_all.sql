-- expect: whole_table_write
update orders set status = 'old';
