#!/usr/bin/env bash
# Shows what IronForge does, on a sandbox in this directory. Safe to run again: nothing moves twice.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH="$PWD/.build/release:$PATH"
# The demo speaks of its own sandbox, whatever database the shell is set up for.
unset IRONFORGE_DATABASE_URL IRONFORGE_REDIS_URL DATABASE_URL REDIS_URL PGHOST PGHOSTADDR PGPORT PGDATABASE \
  PGUSER PGSERVICE IRONFORGE_CONFIG

# Shows a command as it would be typed, runs it, and checks how it ends.
step() {
  local wanted=$1
  shift
  printf '\n\033[1m$'
  printf ' %q' "$@"
  printf '\033[0m\n'
  local status=0
  "$@" || status=$?
  if [[ $status != "$wanted" ]]; then
    echo "demo: expected exit code $wanted, got $status" >&2
    exit 1
  fi
  if [[ $status != 0 ]]; then echo "(exit code $status)"; fi
}
say() { printf '\n%s\n' "$*"; }

say "A private PostgreSQL and Redis, with the schema and some wallets in it."
step 0 ironforge sandbox up
step 0 ironforge migrate up
step 0 ironforge fixtures load

say "Ada's wallet, before."
step 0 ironforge wallet show ada@example.com/main

say "Money moves, once: the key makes it safe to send again."
step 0 ironforge transfer --from ada@example.com/main --to bob@example.com/main --amount 12.50 --currency USD \
  --key demo-1 --memo "lunch"
step 0 ironforge transfer --from ada@example.com/main --to bob@example.com/main --amount 12.50 --currency USD \
  --key demo-1 --memo "lunch"

say "A refusal changes nothing, and says why."
step 4 ironforge transfer --from ada@example.com/main --to bob@example.com/main --amount 1000000 --currency USD \
  --key demo-2

say "Set aside now, captured later, in part; a part of that given back."
step 0 ironforge transfer hold --from ada@example.com/main --to bob@example.com/main --amount 80 --currency USD \
  --key demo-order --expires 15m
step 0 ironforge transfer capture demo-order --amount 62.50 --key demo-shipment
step 0 ironforge transfer reverse demo-order --amount 2.50 --key demo-refund

say "A file of payouts, each row once, however often it is run: one row is refused, and listed."
payouts=$(mktemp -d)
trap 'rm -rf "$payouts"' EXIT
cat >"$payouts/payouts.csv" <<'CSV'
key,from,to,amount,currency,memo
demo-row-1,bob@example.com/main,ada@example.com/main,3.20,USD,October
demo-row-2,bob@example.com/main,ada@example.com/main,999999,USD,a slip of the pen
demo-row-3,ada@example.com/main,bob@example.com/main,1.05,USD,November
CSV
step 3 ironforge transfer batch "$payouts/payouts.csv" --outcome "$payouts/outcome.csv"
step 0 cat "$payouts/outcome.csv"

say "A job over every user, in chunks that survive kill -9."
step 0 ironforge job run sql --table users --key id \
  --statement 'update users set name = trim(name) where id = any($1)' --chunk-size 4

say "The cache: filled from the database, read through, and compared with it."
step 0 ironforge cache warmup
step 0 ironforge cache get "user:$(ironforge user show ada@example.com --json | cut -d '"' -f 4)"
step 0 ironforge cache stats
step 0 ironforge cache audit --all

say "Wallets over HTTP, read only, through the cache."
ironforge serve --listen 127.0.0.1:0 --access-log none 2>"$payouts/serve.log" &
service=$!
trap 'kill $service 2>/dev/null || true; rm -rf "$payouts"' EXIT
for _ in $(seq 100); do grep -q '^listening on' "$payouts/serve.log" && break; sleep 0.1; done
url=$(sed -n 's/^listening on //p' "$payouts/serve.log")
step 0 curl -sS -i "$url/api/v1/wallets/ada@example.com%2Fmain"
step 0 curl -sS "$url/api/ready"
kill -TERM $service
wait $service

say "The wallet afterwards, and the proof that the books add up."
step 0 ironforge wallet show ada@example.com/main
step 0 ironforge ledger verify

cat <<'END'

Try next, in this directory (put .build/release on your PATH):
  ironforge wallet list
  ironforge transfer resolve demo-1
  ironforge job list
  ironforge fixtures generate --users 1000 --wallets 2000 --transfers 100000
  ironforge bench transfer --connections 8 --duration 10s
  ironforge sandbox down
END
