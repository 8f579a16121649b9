-- expect: nothing
vacuum analyze orders;
