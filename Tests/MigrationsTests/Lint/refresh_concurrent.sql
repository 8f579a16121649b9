-- expect: nothing
refresh materialized view concurrently sums;
