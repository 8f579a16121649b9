-- Statements of applications, as they send them. Each is run, and then planned as pg_stat_statements prints it.

-- IronForge's wallet
select * from transactions where wallet_id = '018f0000-0000-7000-8000-000000000001' and status = 'pending' order by created_at desc limit 10;
select * from assets where wallet_id = any('{018f0000-0000-7000-8000-000000000001}'::uuid[]);
select * from users where last_login_at > now() - interval '7 days';
select w.id, w.name, a.balance from wallets w left join assets a on a.wallet_id = w.id and a.currency = 'USD' where w.status = 'active' and w.id > '018f0000-0000-7000-8000-000000000001' order by w.id limit 50;
select currency, sum(amount) from transactions where status = 'posted' group by currency having sum(amount) <> 0;
update assets set balance = balance + 5, version = version + 1 where wallet_id = '018f0000-0000-7000-8000-000000000001' and currency = 'USD';
insert into users (id, email, name) values ('018f0000-0000-7000-8000-000000000009', 'a@example.com', 'Ada') on conflict (email) do update set name = excluded.name || '!';

-- Constants of a type
select count(*) from people where born >= date '1970-02-01' and born < date '1970-02-01' + interval '1' month;
select count(*) from people where seen_at > now() - interval '1 day' * 3;
select * from people where seen_at < timestamp with time zone '2026-01-01 00:00:00+00' and created_at > timestamp '2020-01-01';
select id from people where spent < interval '2' hour and spent >= interval '0' day to second(3);
select time '12:00' + interval '30' minute, numeric '1.5' * 2, bigint '7', double precision '1.5', boolean 'true';
select id from people where height > real '1.5' and flags = bit '101';
select id from people where mood = mood 'happy' or mood = 'sad'::mood;
select point '(1,2)' <-> point '(3,4)', box '((0,0),(1,1))';
select cast('2026-01-01' as date) - 7, '2026-01-01'::date + 1;
select timestamptz '2026-01-01' at time zone 'UTC', now() at time zone interval '1' hour;

-- extract and its kin
select extract(year from born), extract(epoch from seen_at - created_at) from people limit 3;
select date_part('dow', seen_at), date_trunc('day', seen_at), to_char(seen_at, 'YYYY-MM') from people limit 3;
select date_trunc('month', created_at) as month, count(*) from purchases group by date_trunc('month', created_at) order by date_trunc('month', created_at);
select extract(year from ordered_on), sum(price) from purchases group by extract(year from ordered_on) having sum(price) > 100;
select date_trunc('day', created_at at time zone 'Europe/Berlin'), status, count(*) from purchases group by 1, 2 order by 1 desc limit 7;
select coalesce(note, 'none'), count(*) from purchases group by coalesce(note, 'none');
select distinct coalesce(note, 'x') from purchases order by coalesce(note, 'x');
select case when price > 100 then 'big' else 'small' end as size, count(*) from purchases group by case when price > 100 then 'big' else 'small' end;

-- Functions of any type
select concat('Dear ', name, '!') from people limit 1;
select concat_ws(', ', name, email, 'x'), format('%s <%s>', name, email) from people limit 1;
select jsonb_build_object('id', id, 'kind', 'person', 'n', 1) from people limit 1;
select json_agg(json_build_object('id', p.id, 'name', p.name)) from people p where p.id < 10;
select count(1), count(distinct 2) from people;
select array_agg('x'::text), string_agg(name, ', ' order by id) from people where id < 5;
select greatest(1, 2, id), least('a', name), nullif(name, ''), coalesce(height, 0) from people limit 1;
select row_to_json(row(1, name)) from people limit 1;
select num_nulls(1, name), pg_typeof('x'), md5('a' || name) from people limit 1;

-- Operators between constants
select 1 + 2 as three, 'a' || 'b' as ab, 10 % 3, 2 ^ 3, -5, 1.5 * 2;
select id, price * quantity * (1 + 0.19) from purchases where price * 2 > 10 + 5 limit 2;
select sum(case when status = 'new' then 1 else 0 end), sum(case when price > 5 then price else 0 end) from purchases;
select avg(case when quantity > 3 then 1.0 else 0.0 end)::numeric(10, 2) from purchases;
select round(avg(price), 2), trunc(price / 3, 1), power(2, 3), sqrt(2) from purchases group by price limit 1;
select count(*) filter (where status = 'new'), count(*) filter (where price between 1 and 10) from purchases;
select current_date - 7, current_date - interval '1' day, now() - interval '1 week' + '2 hours';
select id from purchases where ordered_on > current_date - 30 limit 5;
select id from purchases where ordered_on between current_date - 30 and current_date + 1 limit 5;
select 1 < 2, 'a' < 'b', 1 in (1, 2, 3), 'a' like 'a%', not (1 = 2);

-- Lists, arrays, rows
select * from people where id in (1, 2, 3) and name in ('Person 1', 'Person 2');
select * from people where id = any(array[1, 2, 3]);
select * from people where id = any('{1,2,3}');
select * from people where tags @> array['a'] and 'b' = any(tags) and tags && '{a,c}'::text[];
select * from people where (id, name) in ((1, 'Person 1'), (2, 'Person 2'));
select * from people where (id, email) > (5, 'a') order by id, email limit 3;
select array[1, 2, 3], array['a', 'b'], row(1, 'x'), array[[1, 2], [3, 4]];
select unnest(array['a', 'b']), unnest(array[1, 2]);
select (array['a', 'b', 'c'])[2], tags[1] from people limit 1;

-- VALUES, series, LIMIT
values (1, 'a'), (2, 'b');
select v.id, p.name from (values (1, 'a'), (2, 'b')) v (id, label) join people p on p.id = v.id;
update purchases p set status = v.status from (values (1, 'paid'), (2, 'sent')) v (id, status) where p.id = v.id;
insert into purchases (person_id, quantity, price, status, ordered_on) values (1, 2, 3.5, 'new', '2026-01-01'), (2, 1, 1, 'new', current_date);
insert into purchases (person_id, quantity, price) select id, 1, 2.5 from people where id < 3;
insert into people (email, name, balance, flags) values ('new@example.com', 'New', 5, b'101') returning id;
insert into events (id, kind, at) values (1, 'login', '2026-01-02') on conflict do nothing;
select generate_series(1, 5), generate_series('2026-01-01'::timestamptz, '2026-01-03', '1 day');
select d::date from generate_series(date '2026-01-01', date '2026-01-05', interval '1' day) d;
select n from generate_series(1, 10) n where n % 2 = 0 order by n desc offset 1 limit 2;
select * from people order by id fetch first 3 rows only;
select * from people tablesample system (50) repeatable (7) limit 1;
select 'x' as kind, id from people where id < 3 union all select 'y', id from purchases where id < 3 union select null, 0;
select 1 as n union select 2 union select id from people where id = 3;

-- Text
select position('a' in name), overlay(name placing 'xx' from 2 for 1), trim(both 'P' from name), substring(name from 2 for 3) from people limit 1;
select substring(name from 'P(.*)n'), name similar to 'P%', name ~ '^P', name ~* 'x', regexp_replace(name, 'P', 'p') from people limit 1;
select * from people where name like 'Per!_%' escape '!' or name ilike '%x%' limit 1;
select lower(name) || '-' || upper('x') || 1, left(name, 3), lpad(name, 10, '*'), split_part(email, '@', 1) from people limit 1;
select e'a\nb', u&'d\0061t', 'it''s', $$dollar$$;
select name collate "C" < 'x', normalize('a', nfc), 'a' is nfc normalized from people limit 1;
select u&'d!0061' uescape '!' || name from people limit 1;
select to_tsvector('english', name) @@ to_tsquery('english', 'person') from people limit 1;

-- JSON
select profile -> 'a' -> 0 ->> 'b', profile #>> '{a,b}', profile ? 'age' from people where profile @> '{"age": 3}' limit 1;
select * from people where (profile ->> 'age')::int > 100 order by profile -> 'age' limit 1;
select jsonb_path_query(profile, '$.age ? (@ > 3)'), profile @? '$.age', profile @@ '$.age > 2' from people limit 1;
update people set profile = jsonb_set(profile, '{city}', '"Berlin"') || '{"x": 1}' where id = 1;
select key, value from people, jsonb_each(profile) where id = 2 and key <> 'x';
select * from jsonb_to_recordset('[{"a":1,"b":"x"}]') as r (a int, b text);

-- Others' shapes: Active Record, Hibernate, Django, sqlx
SELECT "people".* FROM "people" WHERE "people"."email" = 'p1@example.com' LIMIT 1;
SELECT 1 AS one FROM "people" WHERE "people"."email" = 'x' LIMIT 1;
SELECT COUNT(*) FROM (SELECT 1 AS one FROM "people" LIMIT 25 OFFSET 50) subquery_for_count;
select person0_.id as id1_0_, person0_.name as name2_0_ from people person0_ left outer join purchases purchases1_ on person0_.id = purchases1_.person_id where person0_.is_admin = false and (purchases1_.status in ('new', 'paid')) order by person0_.id asc limit 20;
SELECT "people"."id", EXISTS(SELECT (1) AS "a" FROM "purchases" U0 WHERE U0."person_id" = ("people"."id") LIMIT 1) AS "has" FROM "people" WHERE NOT ("people"."name" = '' AND "people"."name" IS NOT NULL) LIMIT 21;
SELECT (DATE_TRUNC('day', "purchases"."created_at" AT TIME ZONE 'UTC'))::date AS "day", COUNT("purchases"."id") AS "n" FROM "purchases" GROUP BY (DATE_TRUNC('day', "purchases"."created_at" AT TIME ZONE 'UTC'))::date ORDER BY 1 ASC;
UPDATE "people" SET "seen_at" = '2026-01-01T00:00:00+00:00'::timestamptz, "is_admin" = true WHERE "people"."id" IN (1, 2);
DELETE FROM "purchases" WHERE "purchases"."id" IN (SELECT U0."id" FROM "purchases" U0 WHERE U0."status" = 'gone' LIMIT 100);

-- WITH, windows, LATERAL, locks
with recent as (select * from purchases where created_at > now() - interval '1 hour' limit 10), n as (select 5 as least) select r.id from recent r, n where r.quantity >= n.least;
with recursive t (n) as (select 1 union all select n + 1 from t where n < 5) select sum(n) from t where n > 2;
with moved as (delete from purchases where status = 'old' returning *) insert into purchases (person_id, quantity, status) select person_id, 0, 'moved' from moved;
select id, row_number() over (partition by status order by price desc), lag(price, 1, 0) over (order by id rows between 1 preceding and current row), ntile(4) over (order by id) from purchases limit 3;
select p.id, l.price from people p cross join lateral (select price from purchases where person_id = p.id and status = 'new' order by price desc limit 2) l where p.id < 5;
select id from purchases where status = 'new' order by id limit 1 for update skip locked;
select status, sum(price) from purchases where quantity > 1 group by rollup (status) having count(*) > 2;
select percentile_cont(0.5) within group (order by price), mode() within group (order by status) from purchases;
select * from events where at >= '2026-01-01' and at < timestamptz '2026-02-01' and kind = 'login';
merge into purchases p using (values (1, 'merged'), (99999, 'new')) v (id, status) on p.id = v.id when matched then update set status = v.status when not matched then insert (person_id, quantity, status) values (1, 3, v.status);
select * from people where addr << inet '10.0.0.0/8' or addr = '::1' limit 1;
select count(*) from purchases where during && tstzrange('2026-01-01', '2026-02-01', '[)') or during @> now();
select id, (select max(price) from purchases where person_id = p.id and quantity > 2) from people p where exists (select 1 from purchases q where q.person_id = p.id and q.price > 10) and p.id % 10 = 3;
select width_bucket(price, 0, 1000, 10), count(*) from purchases group by width_bucket(price, 0, 1000, 10);
select make_interval(days => 3), make_date(2026, 1, 2), age(timestamptz '2026-01-01', seen_at) from people limit 1;
select encode('\xdead'::bytea, 'hex'), x'1f'::int, b'101' from people where avatar = '\x00' limit 1;
