-- expect: nothing
alter table events detach partition events_2020 concurrently;
