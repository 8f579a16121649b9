-- A part of the catalog of P10: tables `from` to `to`, with five indexes each.
begin;
select format($make$
  create table t%1$s (
    id bigint primary key, parent bigint, name text, state smallint not null default 0, placed timestamptz
  );
  create index t%1$s_parent on t%1$s (parent);
  create index t%1$s_name on t%1$s (lower(name));
  create index t%1$s_placed on t%1$s (placed) where state = 1;
  create index t%1$s_parent_placed on t%1$s (parent, placed desc);
  insert into t%1$s select n, n %% 7, 'name ' || n, n %% 3, '2026-01-01'::timestamptz + n * interval '1 h'
  from generate_series(1, 60) n;
  alter table t%1$s add foreign key (parent) references t%2$s (id) not valid;
$make$, n, greatest(n - 1, :from))
from generate_series(:from, :to) n
\gexec
commit;
