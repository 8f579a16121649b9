-- expect: nothing
create table t (id bigint generated always as identity primary key, at timestamptz, code text, data jsonb);
