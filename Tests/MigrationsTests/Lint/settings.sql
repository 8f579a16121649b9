-- expect: nothing
set lock_timeout = '1s';
alter table orders set (autovacuum_vacuum_scale_factor = 0.01);
alter table orders alter column note set statistics 1000;
alter table orders alter column note set default 'x';
