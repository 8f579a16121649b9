-- A shop, with a column of every type that statements compare with constants.
create type mood as enum ('sad', 'ok', 'happy');
create domain amount as numeric(12, 2) check (value >= 0);
create table people (
  id bigint generated always as identity primary key, email text unique not null, name varchar(80), born date,
  height real, mood mood default 'ok', tags text[] default '{}', profile jsonb default '{}', is_admin boolean default false,
  balance amount default 0, token uuid default gen_random_uuid(), flags bit(3) default '000', avatar bytea,
  seen_at timestamptz default now(), created_at timestamp default now(), spent interval default '0', addr inet);
create table purchases (
  id bigint generated always as identity primary key, person_id bigint references people, quantity int not null default 1,
  price numeric(12,2) not null default 0, status text not null default 'new', ordered_on date default current_date,
  created_at timestamptz default now(), note text, during tstzrange);
create table events (id bigint, kind text, at timestamptz not null, primary key (id, at)) partition by range (at);
create table events_2025 partition of events for values from ('2025-01-01') to ('2026-01-01');
create table events_2026 partition of events for values from ('2026-01-01') to ('2027-01-01');
create index on purchases (person_id, created_at desc);
insert into people (email, name, born, profile, tags)
select 'p' || n || '@example.com', 'Person ' || n, date '1970-01-01' + n, jsonb_build_object('age', n), array['a', 'b']
from generate_series(1, 200) n;
insert into purchases (person_id, quantity, price) select 1 + n % 200, n % 7, n from generate_series(1, 1000) n;
analyze;
