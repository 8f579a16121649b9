-- expect: table_rewrite
vacuum full orders;
