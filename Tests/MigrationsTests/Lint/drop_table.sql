-- expect: drop_table
drop table if exists orders;
