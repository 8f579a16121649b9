-- expect: nothing
alter table orders validate constraint placed_there;
alter table orders alter column placed set not null;
alter table orders drop constraint placed_there;
