-- expect: refresh_not_concurrent
refresh materialized view sums;
