-- Wallets (:wallets of them) with ids that pgbench can compute, funded by decree: funding.sql makes it sound.
insert into currencies (code, scale) values ('USD', 2);
insert into users (email, name) values ('peer@example.com', 'Peer');
insert into wallets (id, user_id, name)
select ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, u.id, 'peer-' || n
from users u, generate_series(1, :wallets) n;
insert into assets (wallet_id, currency, balance, version)
select id, 'USD', 1000000000, 0 from wallets;
analyze;
