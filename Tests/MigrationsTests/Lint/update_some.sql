-- expect: nothing
update orders set status = 'old' where id = 1;
