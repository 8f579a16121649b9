-- expect: drop_table
drop schema archive cascade;
