#!/usr/bin/env bash
# The performance table of SPEC section 7: each figure beside its peer, on a durable sandbox of its own, as medians of RUNS rounds in which the two take turns.
#
#   RUNS=5 ROWS=200000 scripts/bench.sh [P1 P2 P3 P4 P5 P6 P7 P8 P9 P10 P11 HTTP LOAD PARTS]
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
ironforge=$root/.build/release/ironforge
runs=${RUNS:-5}
wanted=" ${*:-P1 P2 P3 P4 P5 P6 P7 P8 P9 P10 P11 HTTP LOAD} "

# shellcheck source=Benchmarks/servers.sh
source "$root/Benchmarks/servers.sh"
"$bin/psql" -X -q -d "$IRONFORGE_DATABASE_URL" -v wallets=1000 -f "$root/Benchmarks/sql/setup.sql"

median() { sort -n | awk '{ v[NR] = $1 } END { print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
# Microseconds that a command takes, output thrown away.
timed() {
  local start=${EPOCHREALTIME/[.,]/}
  "$@" >/dev/null 2>&1
  echo $((${EPOCHREALTIME/[.,]/} - start))
}
report() { printf '%-3s %-46s %14s %-34s %14s %8s  %s\n' "$@"; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }

report "" "ironforge" "" "peer" "" "ratio" "wanted"

if [[ $wanted == *" P1 "* ]]; then
  for _ in $(seq $((runs * 10))); do
    timed "$ironforge" --version >>p1.ours
    timed "$bin/psql" --version >>p1.peer
  done
  ours=$(median <p1.ours) peer=$(median <p1.peer)
  report P1 "ironforge --version" "$ours us" "psql --version" "$peer us" "$(ratio "$ours" "$peer")" "<= 2"
fi

if [[ $wanted == *" P2 "* ]]; then
  from=00000000-0000-7000-8000-000000000001 to=00000000-0000-7000-8000-000000000002
  version=0
  # The ledger's ids: UUIDv7 with the two last bits clear. Any will do, so long as they rise.
  one_psql() {
    version=$((version + 1))
    local id
    id=$(printf '01a00000-0000-7000-8000-%012x' $((version * 4)))
    timed "$bin/psql" -X -q -d "$IRONFORGE_DATABASE_URL" -f "$root/Benchmarks/sql/transfer.sql" \
      -v key="psql-$version" -v id="$id" -v from="$from" -v to="$to" -v version=$version \
      -v from_balance=$((1000000000 - version)) -v to_balance=$((1000000000 + version)) >>p2.peer
  }
  one_ironforge() {
    version=$((version + 1))
    timed "$ironforge" transfer --from "$from" --to "$to" --amount 0.01 --currency USD \
      --key "ironforge-$version" --quiet >>p2.ours
  }
  for _ in $(seq $((runs * 10))); do
    one_ironforge
    one_psql
  done
  # Every one of them must have counted, or the times mean nothing.
  moved=$("$bin/psql" -X -A -t -d "$IRONFORGE_DATABASE_URL" -c "select version from assets where wallet_id = '$from'")
  [[ $moved == "$version" ]] || { echo "P2: $moved of $version transfers arrived" >&2; exit 1; }
  ours=$(median <p2.ours) peer=$(median <p2.peer)
  report P2 "ironforge transfer, whole process" "$ours us" "psql, the same statements" "$peer us" \
    "$(ratio "$ours" "$peer")" "<= 1.25"
fi

if [[ $wanted == *" P3 "* ]]; then
  for _ in $(seq "$runs"); do
    # A missed [targets] figure is exit 99 and no failure of this measurement.
    "$ironforge" bench transfer --connections 8 --duration 5s --json >p3.json || [[ $? == 99 ]]
    sed 's/.*"requests_per_second":\([0-9.]*\).*/\1/' p3.json >>p3.ours
    # A client that meets an error stops, and the rest would be a figure of fewer clients: then there is none.
    "$bin/pgbench" -n -M prepared -c 8 -j 2 -T 5 -f "$root/Benchmarks/sql/naive.sql" "$IRONFORGE_DATABASE_URL" \
      >p3.pgbench 2>&1 || { cat p3.pgbench >&2; exit 1; }
    sed -n 's/^tps = \([0-9.]*\).*/\1/p' p3.pgbench >>p3.peer
  done
  ours=$(median <p3.ours | cut -d. -f1) peer=$(median <p3.peer | cut -d. -f1)
  report P3 "bench transfer, 8 connections" "$ours /s" "pgbench -c 8, seven statements" "$peer /s" \
    "$(ratio "$ours" "$peer")" ">= 1.5"
fi

# shellcheck source=Benchmarks/batch.sh
source "$root/Benchmarks/batch.sh"
if [[ $wanted == *" P4 "* || $wanted == *" P5 "* || $wanted == *" P6 "* ]]; then measure_batches; fi
# shellcheck source=Benchmarks/warmup.sh
source "$root/Benchmarks/warmup.sh"
if [[ $wanted == *" P7 "* ]]; then measure_warmup; fi
if [[ $wanted == *" P8 "* ]]; then
  measure_memory
  measure_warmup_memory
fi

# shellcheck source=Benchmarks/l1.sh
source "$root/Benchmarks/l1.sh"
if [[ $wanted == *" P9 "* ]]; then
  measure_hits
  measure_hit_ratios
fi

# shellcheck source=Benchmarks/audit.sh
source "$root/Benchmarks/audit.sh"
if [[ $wanted == *" P10 "* ]]; then measure_audit; fi

# TPC-H, in a sandbox of its own; its data takes a download.
# shellcheck source=Benchmarks/tpch.sh
source "$root/Benchmarks/tpch.sh"
failed=0
# Its data wants the network: without, the other lines are still worth having.
if [[ $wanted == *" P11 "* ]]; then measure_advice || failed=1; fi
# shellcheck source=Benchmarks/http.sh
source "$root/Benchmarks/http.sh"
if [[ $wanted == *" HTTP "* ]]; then measure_http; fi
# shellcheck source=Benchmarks/http-load.sh
source "$root/Benchmarks/http-load.sh"
if [[ $wanted == *" LOAD "* ]]; then measure_http_load; fi

# Where the server's time goes, of one transfer at a time and of a row of a batch: not a target, so only when asked for.
if [[ $wanted == *" PARTS "* ]]; then
  on ironforge -c "alter system set pg_stat_statements.track = 'all'" -c "select pg_reload_conf()" >/dev/null
  on ironforge -c "select pg_stat_statements_reset()" >/dev/null
  "$ironforge" bench transfer --connections 1 --duration 5s --json >/dev/null || [[ $? == 99 ]]
  on ironforge -c "select calls, round((mean_exec_time * 1000)::numeric) as us, toplevel,
      left(regexp_replace(query, '\s+', ' ', 'g'), 60) as statement
    from pg_stat_statements where calls > 2000 order by mean_exec_time desc"
  [[ -e uniform.csv ]] || prepare_batches
  fresh ours
  on ironforge -c "select pg_stat_statements_reset()" >/dev/null
  echo "a row of a batch, whole: $(awk -v rate="$(rate "$rows" batch uniform.csv ours)" 'BEGIN { printf "%.1f", 1e6 / rate }') us"
  on ironforge -c "select calls, round((total_exec_time * 1000 / $rows)::numeric, 1) as us_a_row, toplevel,
      left(regexp_replace(query, '\s+', ' ', 'g'), 60) as statement
    from pg_stat_statements where total_exec_time * 1000 > $rows order by total_exec_time desc"
fi
exit $failed
