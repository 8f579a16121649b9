-- expect: truncate_cascade
truncate orders cascade;
