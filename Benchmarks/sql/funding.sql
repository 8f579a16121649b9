-- Makes the ledger of setup.sql sound: what the wallets hold came from an external one, by a transfer each.
begin;
insert into wallets (id, user_id, name, kind)
select '00000000-0000-7000-8000-000000000000', id, 'world', 'external' from users;
insert into assets (wallet_id, currency, wallet_kind, balance, version)
select '00000000-0000-7000-8000-000000000000', 'USD', 'external', -sum(balance), count(*) from assets;
create temporary table funded on commit drop as
select ('01800000-0000-7000-8000-' || lpad(to_hex(4 * n), 12, '0'))::uuid as id, n, wallet_id, balance
from (select wallet_id, balance, row_number() over (order by wallet_id) as n from assets where balance > 0) a;
insert into transfers (id, key, from_wallet_id, to_wallet_id, currency, amount, status, created_at)
select id, 'funding-' || n, '00000000-0000-7000-8000-000000000000', wallet_id, 'USD', balance, 'posted',
  ironforge.id_time(id)
from funded;
insert into transactions
  (id, transfer_id, wallet_id, currency, amount, balance_after, version, status, created_at)
select ironforge.entry_id(id, side), id,
  case side when 1 then '00000000-0000-7000-8000-000000000000' else wallet_id end, 'USD',
  case side when 1 then -balance else balance end, case side when 1 then -balance * n else balance end,
  case side when 1 then n else 1 end, 'posted', ironforge.id_time(id)
from funded, (values (1), (2)) as sides (side);
update assets set version = 1 where version = 0;
commit;
analyze;
