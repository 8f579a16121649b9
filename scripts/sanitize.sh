#!/usr/bin/env bash
# The tests under a sanitizer, with the commands that they start: a data race or a bad access fails the run.
#
#   FILTER='ConnectionPool|Redis' scripts/sanitize.sh thread|address      without FILTER all tests
#
# A build of its own in .build/thread or .build/address. Time-outs of tests are generous for a debug build, not for the
# thread sanitizer, which is five to fifteen times slower: a test that fails by time alone says so.
set -euo pipefail
cd "$(dirname "$0")/.."
swift=${SWIFT:-swift}
sanitizer=${1:-}
case $sanitizer in
thread | address) ;;
*) echo "sanitize: which one? thread or address" >&2; exit 64 ;;
esac
scratch=$PWD/.build/$sanitizer
reports=$scratch/reports
rm -rf "$reports"
mkdir -p "$reports"

# Reports go to files, so that those of children are seen whatever the test does with their output.
export TSAN_OPTIONS="log_path=$reports/report second_deadlock_stack=1"
export ASAN_OPTIONS="log_path=$reports/report suppressions=$PWD/scripts/sanitizers/address.supp"
export SWIFT_BACKTRACE=enable=no

"$swift" build --build-tests --sanitize="$sanitizer" --scratch-path "$scratch"
if [[ $sanitizer == thread ]]; then
  # What Swift's Mutex does where threads meet, the sanitizer would not see.
  "$(dirname "$(readlink -f "$(command -v "$swift")")")"/clang -O1 -fPIC -shared -o "$scratch/mutex.so" \
    scripts/sanitizers/mutex.c -ldl
  export LD_PRELOAD=$scratch/mutex.so
fi
status=0
"$swift" test --skip-build --sanitize="$sanitizer" --scratch-path "$scratch" --parallel \
  --experimental-maximum-parallelization-width 2 ${FILTER:+--filter "$FILTER"} || status=$?
unset LD_PRELOAD

count=$(cat "$reports"/report.* 2>/dev/null | grep -c '^SUMMARY:' || true)
if [[ $count -gt 0 ]]; then
  cat "$reports"/report.* | grep '^SUMMARY:' | sort | uniq -c | sort -rn | head -n 20 >&2
  echo "sanitize: $count reports in .build/$sanitizer/reports" >&2
  exit 1
fi
[[ $status == 0 ]] || { echo "sanitize: no report, but tests failed" >&2; exit "$status"; }
echo "sanitize: nothing found by the $sanitizer sanitizer; reports would stand in .build/$sanitizer/reports"
