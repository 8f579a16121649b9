-- The transfer as it is usually written: seven statements, seven round trips, prepared by pgbench.
\set a random(1, 500)
\set b random(501, 1000)
begin;
select balance from assets where wallet_id = ('00000000-0000-7000-8000-' || lpad(:a::text, 12, '0'))::uuid and currency = 'USD' for update;
update assets set balance = balance - 1, version = version + 1, updated_at = now() where wallet_id = ('00000000-0000-7000-8000-' || lpad(:a::text, 12, '0'))::uuid and currency = 'USD' returning balance as ab, version as av \gset
update assets set balance = balance + 1, version = version + 1, updated_at = now() where wallet_id = ('00000000-0000-7000-8000-' || lpad(:b::text, 12, '0'))::uuid and currency = 'USD' returning balance as bb, version as bv \gset
insert into transfers (id, key, from_wallet_id, to_wallet_id, currency, amount, status) values (ironforge.uuid_v7(), ironforge.uuid_v7()::text, ('00000000-0000-7000-8000-' || lpad(:a::text, 12, '0'))::uuid, ('00000000-0000-7000-8000-' || lpad(:b::text, 12, '0'))::uuid, 'USD', 1, 'posted') returning id \gset
insert into transactions (id, transfer_id, wallet_id, currency, amount, balance_after, version, status) values (ironforge.uuid_v7(), :id::uuid, ('00000000-0000-7000-8000-' || lpad(:a::text, 12, '0'))::uuid, 'USD', -1, :ab::numeric, :av::bigint, 'posted'), (ironforge.uuid_v7(), :id::uuid, ('00000000-0000-7000-8000-' || lpad(:b::text, 12, '0'))::uuid, 'USD', 1, :bb::numeric, :bv::bigint, 'posted');
commit;
