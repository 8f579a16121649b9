-- expect: detach_partition
alter table events detach partition events_2020;
