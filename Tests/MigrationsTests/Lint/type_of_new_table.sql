-- expect: nothing
create table notes (id bigint primary key, note varchar(100));
commit;
alter table notes alter column note type varchar(200);
alter table notes alter column note type text;
