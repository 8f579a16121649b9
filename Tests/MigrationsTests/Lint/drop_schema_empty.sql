-- expect: nothing
drop schema archive;
