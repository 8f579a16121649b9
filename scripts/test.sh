#!/bin/bash
# Runs the tests that are built, a few at a time, and says last what failed: in 2,500 lines nobody finds it. What else is given goes to `swift test`.
# All at once, servers and commands would share two cores by the hundred and miss bounds that are generous for one.
set -uo pipefail
cd "$(dirname "$0")/.."

log=.build/test.log
"${SWIFT:-swift}" test --skip-build --parallel --experimental-maximum-parallelization-width 5 "$@" 2>&1 | tee "$log"
status=$?
[ $status -eq 0 ] && exit 0

# An issue with its place, and its text on the lines below; then the runner's own closing line once more.
printf '\nFailed (all of it in %s):\n' "$log"
awk '/^(◇|✔|✘)/{ shown = 0 } / recorded an issue /{ shown = 12 } shown-- > 0 { print substr($0, 1, 400) }' "$log"
grep '^✘ Test run with' "$log" || tail -n 5 "$log"
exit $status
