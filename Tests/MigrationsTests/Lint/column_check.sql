-- expect: check_validates
alter table orders add column n bigint default 1 check (n > 0);
