-- expect: table_rewrite
cluster orders using i;
