#!/usr/bin/env bash
# The micro-benchmarks of Benchmarks/Micro, as a table: single functions, and wallets on a durable sandbox of their own.
#
#   scripts/microbench.sh [OPTION of `swift package benchmark`, such as --filter 'JSON.*']
#
# Times are for one of what the name says, with the percentiles over all runs of it.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
swift=${SWIFT:-swift}
ironforge=$root/.build/release/ironforge

# shellcheck source=Benchmarks/servers.sh
source "$root/Benchmarks/servers.sh"
export IRONFORGE_MICRO_INDEXES=${IRONFORGE_DATABASE_URL/ironforge?/indexes?}
"$bin/psql" -X -q -d "$IRONFORGE_DATABASE_URL" -c "create database indexes"
"$bin/psql" -X -q -v from=1 -v to=200 -d "$IRONFORGE_MICRO_INDEXES" -f "$root/Benchmarks/sql/indexes.sql" >/dev/null
cd "$root"
"$swift" package --package-path Benchmarks --scratch-path .build/micro --disable-sandbox benchmark "$@" 2>&1 |
  tee .build/micro.txt
[[ ${PIPESTATUS[0]} == 0 ]]
echo "microbench: the table is in .build/micro.txt"
