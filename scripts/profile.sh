#!/usr/bin/env bash
# Where a command's time, instructions and memory go, on a durable sandbox of its own.
#
#   scripts/profile.sh flamegraph [transfer|batch|warmup|audit]   perf, as a flame graph in .build/profiles
#   scripts/profile.sh callgrind  [version|transfer|batch]        valgrind: the functions with the most instructions
#   scripts/profile.sh heap       [batch|warmup|audit]            valgrind: the peak of the heap and who asked for it
#
# ROWS, USERS and INDEXES change the sizes. The build is a release build with symbols and the shared Swift library:
# valgrind refuses the binary that `make release` links to a fixed address.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
swift=${SWIFT:-swift}
tool=${1:-flamegraph}
ironforge=$root/.build/profile/release/ironforge
profiles=$root/.build/profiles
top=${TOP:-20}

case $tool in
flamegraph) what=${2:-batch} allowed="transfer batch warmup audit" ;;
callgrind) what=${2:-version} allowed="version transfer batch" ;;
heap) what=${2:-batch} allowed="batch warmup audit" ;;
*) echo "profile: no tool $tool; there are flamegraph, callgrind and heap" >&2; exit 64 ;;
esac
[[ " $allowed " == *" $what "* ]] || { echo "profile: $tool is for one of: $allowed" >&2; exit 64; }

# Containers often forbid it, and then perf says so in twenty lines.
if [[ $tool == flamegraph ]] && ! perf record -q -o /dev/null -- true >/dev/null 2>&1; then
  echo "profile: this kernel does not let perf count; see /proc/sys/kernel/perf_event_paranoid," >&2
  echo "         or run it as root, or a container with --cap-add PERFMON" >&2
  exit 69
fi

mkdir -p "$profiles"
"$swift" build -c release --scratch-path .build/profile --product ironforge -Xswiftc -g >"$profiles/build.log" 2>&1 ||
  { tail -n 20 "$profiles/build.log" >&2; exit 1; }

# shellcheck source=Benchmarks/servers.sh
source "$root/Benchmarks/servers.sh"
# shellcheck source=Benchmarks/batch.sh
source "$root/Benchmarks/batch.sh"

# Leaves the command to be measured in `command`.
prepare() {
  case $what in
  version) command=("$ironforge" --version) ;;
  transfer)
    on ironforge -v wallets=1000 -f "$root/Benchmarks/sql/setup.sql"
    # Many of them: a profile of 30 ms says nothing. Start-up is a part of each.
    local count=1
    [[ $tool == callgrind ]] || count=${ROWS:-100}
    command=(bash -c 'for n in $(seq "$2"); do "$1" transfer --from 00000000-0000-7000-8000-000000000001 \
      --to 00000000-0000-7000-8000-000000000002 --amount 0.01 --currency USD --key "profile-$n" --quiet >/dev/null; done' \
      transfers "$ironforge" "$count") ;;
  batch)
    on ironforge -v wallets="$wallets" -f "$root/Benchmarks/sql/setup.sql"
    rows_file "${ROWS:-$([[ $tool == flamegraph ]] && echo 100000 || echo 20000)}" uniform >rows.csv
    command=("$ironforge" transfer batch rows.csv --outcome outcome.csv --quiet) ;;
  warmup)
    on ironforge -c "insert into users (email, name, last_login_at)
      select 'user-' || n || '@example.com', 'User number ' || n, now() - n * interval '1 second'
      from generate_series(1, ${USERS:-$([[ $tool == flamegraph ]] && echo 300000 || echo 20000)}) n" -c "vacuum (analyze)"
    command=("$ironforge" cache warmup --scope users --quiet) ;;
  audit)
    local from tables=$((${INDEXES:-2000} / 5))
    for ((from = 1; from <= tables; from += 200)); do
      on ironforge -v from="$from" -v to=$((from + 199)) -f "$root/Benchmarks/sql/indexes.sql" >/dev/null
    done
    on ironforge -c analyze
    command=("$ironforge" index audit --json --fail-on none) ;;
  esac
}

# A failed command says why; a profile of it would say nothing.
run() { "$@" >out.txt 2>err.txt || { echo "profile: failed ($?): $*" >&2; tail -n 20 err.txt >&2; exit 1; }; }

demangled() { "$swift" demangle --simplified; }

prepare
case $tool in
flamegraph)
  # The stacks themselves, because libpq and libc are built without frame pointers.
  run perf record -q -F 999 --call-graph dwarf,16384 -o perf.data -- "${command[@]}"
  perf script -i perf.data --no-inline 2>/dev/null | demangled >perf.txt
  "$root/scripts/flamegraph.py" --title "ironforge $what" <perf.txt >"$profiles/$what.svg"
  "$root/scripts/flamegraph.py" --folded <perf.txt >"$profiles/$what.folded"
  # The functions that were on top, by their share.
  awk '{ count = $NF; sub(/ [0-9]+$/, ""); n = split($0, frames, ";"); own[frames[n]] += count; all += count }
    END { for (name in own) printf "%5.1f %%  %s\n", 100 * own[name] / all, name }' "$profiles/$what.folded" |
    sort -rn | head -n "$top" | cut -c 1-150
  echo "flamegraph: .build/profiles/$what.svg (open it in a browser), stacks in .build/profiles/$what.folded" ;;
callgrind)
  # A shell in front of the command is no part of it.
  run valgrind -q --tool=callgrind --trace-children=yes --trace-children-skip='*/bash,*/seq' \
    --callgrind-out-file="$work/callgrind.%p" "${command[@]}"
  file=$(ls -S callgrind.[0-9]* | head -n 1)
  cp "$file" "$profiles/$what.callgrind"
  callgrind_annotate --show-percs=yes "$file" | demangled >"$profiles/$what.callgrind.txt"
  sed -n '/PROGRAM TOTALS/p' "$profiles/$what.callgrind.txt"
  # Behind the colon is the function, with its file in front.
  sed -n '/file:function/,$p' "$profiles/$what.callgrind.txt" | sed '1,2d' | head -n "$top" |
    sed -E 's/ +/ /g; s/\?\?\?://; s#\[[^]]*/([^]/]*)\]#[\1]#' | cut -c 1-150
  echo "callgrind: .build/profiles/$what.callgrind.txt, and for kcachegrind .build/profiles/$what.callgrind" ;;
heap)
  run valgrind -q --tool=massif --massif-out-file="$work/massif.out" "${command[@]}"
  cp massif.out "$profiles/$what.massif"
  ms_print massif.out | demangled >"$profiles/$what.massif.txt"
  awk -F= '/^mem_heap_B=/ { if ($2 > peak) peak = $2 } END { printf "peak of the heap: %.1f MB\n", peak / 1048576 }' massif.out
  # The detailed snapshot at the peak: who asked for the memory, and who called that.
  awk '/^heap_tree=/ { at = $0 == "heap_tree=peak" } at && /^ *n[0-9]+:/' massif.out | demangled |
    sed -nE 's/^( *)n[0-9]+: ([0-9]+) (0x[0-9A-F]+: )?(.*)/\2 \1\4/p' |
    awk -v top="$top" 'NR > 1 && NR <= top + 1 { size = $1; sub(/^[0-9]+/, ""); printf "%8.1f kB %s\n", size / 1024, $0 }' |
    cut -c 1-150
  echo "heap: .build/profiles/$what.massif.txt, the heap over the whole run" ;;
esac
