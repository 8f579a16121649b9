#!/usr/bin/env bash
# Runs the parsers of outside text under libFuzzer and the address sanitizer: SECONDS_EACH for each TARGET (default: all).
#
#   SECONDS_EACH=60 scripts/fuzz.sh [TARGET…]
#
# Inputs that reach new code are kept in .build/fuzz/corpus and are where the next run begins; an input that fails is
# kept in .build/fuzz/crashes/TARGET, and the exit status is 1. To see one again:
#   .build/fuzz/release/ironforge-fuzz TARGET .build/fuzz/crashes/TARGET/crash-…
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${SECONDS_EACH:-60}
swift=${SWIFT:-swift}
scratch=$PWD/.build/fuzz
fuzz=$scratch/release/ironforge-fuzz

# libFuzzer without its own `main`, as the toolchain ships it.
runtime=$("$swift" -print-target-info | sed -n 's/.*"runtimeResourcePath": "\(.*\)".*/\1/p')
library=$(ls "$runtime"/clang/lib/linux/libclang_rt.fuzzer_no_main-"$(uname -m)".a 2>/dev/null || true)
[[ -n $library ]] || { echo "fuzz: this Swift toolchain has no libFuzzer below $runtime" >&2; exit 69; }

# Testable, because most parsers are no business of other packages. Coverage is what guides the fuzzer; traps for
# overflow and bounds stay on in a release build.
"$swift" build --package-path Fuzz --scratch-path "$scratch" -c release --sanitize=address --product ironforge-fuzz \
  -Xswiftc -enable-testing -Xswiftc -sanitize-coverage=edge,inline-8bit-counters,pc-table,trace-cmp \
  -Xlinker "$library" -Xlinker -lstdc++

targets=("$@")
if [[ ${#targets[@]} == 0 ]]; then mapfile -t targets < <("$fuzz"); fi

# `seed TARGET FILE…`: copies of what the tests and examples of the project have. Where the target takes the first
# byte for the size of the pieces, PREFIX is that byte.
seed() {
  local target=$1 file
  mkdir -p "$scratch/seeds/$target"
  shift
  for file in "$@"; do { printf '%s' "${PREFIX:-}"; cat "$file"; } >"$scratch/seeds/$target/$(basename "$file")"; done
}

# `texts TARGET < LINES`: a seed for each line, with \n and \r as escapes.
texts() {
  local target=$1 number=0 line
  mkdir -p "$scratch/seeds/$target"
  while IFS= read -r line; do
    number=$((number + 1))
    printf '%b' "${PREFIX:-}$line" >"$scratch/seeds/$target/text-$number"
  done
}

make_seeds() {
  rm -rf "$scratch/seeds"
  seed toml scripts/package/examples/config.toml
  PREFIX=P seed csv fixtures/*.csv
  PREFIX=P texts csv <Fuzz/seeds/csv
  PREFIX=P texts ndjson <Fuzz/seeds/ndjson
  seed json Tests/PlansTests/Corpus/*.json
  PREFIX=P texts resp <Fuzz/seeds/resp
  seed plan Tests/PlansTests/Corpus/*
  # The first byte is the scale of the amounts: "P" is 4.
  PREFIX=P texts values <Fuzz/seeds/values
  texts reference <Fuzz/seeds/reference
  seed migration migrations/*.sql Tests/MigrationsTests/Lint/*.sql
  PREFIX=P texts baseline <Fuzz/seeds/baseline
  texts predicate <Fuzz/seeds/predicate
  seed undo Fuzz/seeds/undo.sql
  seed sql Tests/WorkloadTests/Statements/*.sql migrations/*.sql Benchmarks/tpch/queries.sql
  seed workload Tests/WorkloadTests/Statements/*.sql Benchmarks/tpch/queries.sql
}
make_seeds

# hiredis asks for an array of as many elements as a reply announces, up to 16 GB, and copes with a refusal.
export ASAN_OPTIONS=max_allocation_size_mb=512:allocator_may_return_null=1
failed=()
printf '%-10s %12s %10s %8s  %s\n' target runs runs/s edges verdict
for target in "${targets[@]}"; do
  mkdir -p "$scratch/corpus/$target" "$scratch/crashes/$target"
  dictionary=()
  [[ ! -e Fuzz/dictionaries/$target ]] || dictionary=(-dict="Fuzz/dictionaries/$target")
  log=$scratch/$target.log
  verdict=ok
  # Without its own backtracer Swift leaves the trap to libFuzzer, which keeps the input. An input of 10 s is a hang.
  SWIFT_BACKTRACE=enable=no nice -n "${NICE:-0}" "$fuzz" "$target" -max_total_time="$seconds" -timeout=10 \
    -rss_limit_mb=4096 -print_final_stats=1 -artifact_prefix="$scratch/crashes/$target/" "${dictionary[@]}" \
    "$scratch/corpus/$target" "$scratch/seeds/$target" >"$log" 2>&1 || verdict="FAILED, see $log"
  [[ $verdict == ok ]] || failed+=("$target")
  printf '%-10s %12s %10s %8s  %s\n' "$target" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" \
    "$(sed -n 's/^stat::average_exec_per_sec: *//p' "$log")" \
    "$(grep -o 'cov: [0-9]*' "$log" | tail -n 1 | cut -c 6-)" "$verdict"
done
if [[ ${#failed[@]} -gt 0 ]]; then
  echo "fuzz: ${failed[*]} failed; the inputs are in .build/fuzz/crashes" >&2
  exit 1
fi
echo "fuzz: no target failed; what reaches new code is kept in .build/fuzz/corpus"
