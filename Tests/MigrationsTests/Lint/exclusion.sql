-- expect: constraint_builds_index
alter table bookings add constraint apart exclude using gist (room with =, during with &&);
