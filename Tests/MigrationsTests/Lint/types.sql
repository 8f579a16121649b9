-- expect: integer_key, timestamp_without_time_zone, char_column, json_column
create table t (id serial primary key, at timestamp, code char(3), data json);
