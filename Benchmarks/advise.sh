#!/usr/bin/env bash
# P11: `index advise` on TPC-H at scale 0.1, in a durable sandbox of its own: the geometric mean of the planner's costs after by before, and
# what the queries really take before and after the advised indexes are built, in turns, the fastest of RUNS.
#
#   RUNS=5 PAGE_COST=1.1 Benchmarks/advise.sh [IRONFORGE]
#
# The data comes from the program of the PyPI package tpchgen-cli (TPCHGEN names another). Queries that take longer than LIMIT_SECS
# without indexes count as that long.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
ironforge=${1:-$root/.build/release/ironforge}
bin=$(dirname "$(ls -1d /usr/lib/postgresql/*/bin/psql | sort -V | tail -n 1)")
psql=("$bin/psql" -X -q -A -t -v ON_ERROR_STOP=1)
work=$(mktemp -d /tmp/ironforge-tpch.XXXXXX)
chmod 755 "$work"
cleanup() {
  (cd "$work" && "$ironforge" sandbox down --quiet >/dev/null) || true
  rm -rf "$work"
}
trap cleanup EXIT
cd "$work"
if [[ -z ${TPCHGEN:-} ]]; then
  python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --target py tpchgen-cli
  TPCHGEN=$work/py/bin/tpchgen-cli
fi
"$TPCHGEN" -s 0.1 --output-dir data >/dev/null
"$ironforge" sandbox up --quiet >/dev/null
eval "$("$ironforge" sandbox env)"
# Both databases fit, and no table is so large a part that reading it leaves the memory as it was: otherwise the copy alone is slower.
"${psql[@]}" -d "$IRONFORGE_DATABASE_URL" -c "alter system set shared_buffers = '1GB'"
"$ironforge" sandbox down --quiet >/dev/null
"$ironforge" sandbox up --quiet >/dev/null
plain=${IRONFORGE_DATABASE_URL/ironforge?/plain?} indexed=${IRONFORGE_DATABASE_URL/ironforge?/indexed?}
"${psql[@]}" -d "$IRONFORGE_DATABASE_URL" -c "create database plain"
"${psql[@]}" -d "$plain" -c "alter database plain set random_page_cost = ${PAGE_COST:-1.1}"
"${psql[@]}" -d "$plain" -c "create extension if not exists hypopg" -f "$root/Benchmarks/tpch/schema.sql"
for table in region nation supplier part customer partsupp orders lineitem; do
  sed 's/|$//' "data/$table.tbl" | "${psql[@]}" -d "$plain" -c "copy $table from stdin with (delimiter '|')"
done
"${psql[@]}" -d "$plain" -c "vacuum analyze"

start=${EPOCHREALTIME/[.,]/}
"$ironforge" index advise --database-url "$plain" --workload "$root/Benchmarks/tpch/queries.sql" --max-size 100MB \
  --json >advice.json
echo "search: $(((${EPOCHREALTIME/[.,]/} - start) / 1000)) ms, load $(cut -d' ' -f1 /proc/loadavg)"
python3 - <<'PY'
import json, re
advice = json.load(open("advice.json"))
print("cost ratio: %.3f with %d indexes of %.1f MB, %d plans" % (
    advice["mean_cost_ratio"], len(advice["indexes"]), advice["size_bytes"] / 2**20, advice["plans"]))
with open("ddl.sql", "w") as ddl:
    ddl.writelines(index["ddl"] + "\n" for index in advice["indexes"])
for number, query in enumerate(advice["queries"], 1):
    open("query-%02d.sql" % number, "w").write(query["query"] + ";\n")
PY
"${psql[@]}" -d "$IRONFORGE_DATABASE_URL" -c "create database indexed template plain"
"${psql[@]}" -d "$IRONFORGE_DATABASE_URL" -c "alter database indexed set random_page_cost = ${PAGE_COST:-1.1}"
"${psql[@]}" -d "$indexed" -f ddl.sql -c "vacuum analyze"
"${psql[@]}" -d "$indexed" -c "
  select 'built: ' || round(sum(pg_relation_size(i.indexrelid)) / 1048576.0, 1) || ' MB'
  from pg_index i join pg_class c on c.oid = i.indrelid
  where not i.indisprimary and c.relnamespace = 'public'::regnamespace"

# Of two runs in one session the second: the databases push each other out of the server's memory.
limit=${LIMIT_SECS:-20}
milliseconds() {
  { echo "set statement_timeout = '${limit}s';"; cat "$2"; echo '\timing on'; cat "$2"; } |
    "$bin/psql" -X -q -A -t -d "$1" 2>/dev/null | sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' | tail -n 1
}
for query in query-*.sql; do
  for _ in $(seq "${RUNS:-5}"); do
    milliseconds "$plain" "$query" >>"$query.before"
    milliseconds "$indexed" "$query" >>"$query.after"
  done
  echo "${query//[^0-9]/} $(sort -n "$query.before" | head -n 1) $(sort -n "$query.after" | head -n 1)"
done | awk '{ ratio = $3 / $2; sum += log(ratio); mark = ratio > 1.2 ? "  SLOWER" : ""; slower += ratio > 1.2
  printf "%s %10.1f ms %10.1f ms %6.2f%s\n", $1, $2, $3, ratio, mark }
  END { printf "real times: geometric mean %.2f, %d of %d more than 20 %% slower\n", exp(sum / NR), slower, NR }'
