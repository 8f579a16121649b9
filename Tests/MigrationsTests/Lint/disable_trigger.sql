-- expect: disable_trigger
alter table orders disable trigger all;
