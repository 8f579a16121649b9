-- expect: column_type_change
create table words (id bigint primary key, word varchar(100));
commit;
alter table words alter column word type text collate "C";
