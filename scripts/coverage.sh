#!/usr/bin/env bash
# Which lines the tests run: a table of the folders of Sources, and every line in HTML in .build/coverage.
#
#   FILTER='JSON|CSV' scripts/coverage.sh      without FILTER all tests
#
# What the spawned `ironforge` processes run counts too; a process that a test kills leaves nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
swift=${SWIFT:-swift}
scratch=$PWD/.build/coverage-build
out=$PWD/.build/coverage
# The toolchain's own: its profiles have a format of their own.
tools=$(dirname "$(readlink -f "$(command -v "$swift")")")

"$swift" build --build-tests --enable-code-coverage --scratch-path "$scratch"
rm -rf "$out"
mkdir -p "$out/profiles"
# One file a program and run, merged by the runtime; children inherit it.
export LLVM_PROFILE_FILE=$out/profiles/%m.profraw
status=0
"$swift" test --skip-build --scratch-path "$scratch" --enable-code-coverage --parallel \
  --experimental-maximum-parallelization-width 4 ${FILTER:+--filter "$FILTER"} || status=$?
unset LLVM_PROFILE_FILE

# swift test may insist on a place of its own.
mkdir -p "$scratch/debug/codecov"
find "$out/profiles" "$scratch/debug/codecov" -name '*.profraw' -print0 2>/dev/null |
  xargs -0 "$tools/llvm-profdata" merge -sparse -o "$out/all.profdata"
objects=("$scratch"/debug/*.xctest -object "$scratch/debug/ironforge")
"$tools/llvm-cov" export "${objects[@]}" -instr-profile "$out/all.profdata" -summary-only \
  -ignore-filename-regex='/(Tests|checkouts|\.build)/|derived' >"$out/summary.json"
"$tools/llvm-cov" show "${objects[@]}" -instr-profile "$out/all.profdata" -format=html -output-dir "$out" \
  -ignore-filename-regex='/(Tests|checkouts|\.build)/|derived' >/dev/null

python3 - "$out/summary.json" <<'PY'
import collections, json, sys
folders = collections.defaultdict(lambda: [0, 0, 0, 0])
for file in json.load(open(sys.argv[1]))["data"][0]["files"]:
    if "/Sources/" not in file["filename"]:
        continue
    folder = file["filename"].split("/Sources/", 1)[1].split("/")[0]
    lines, functions = file["summary"]["lines"], file["summary"]["functions"]
    for place, number in enumerate([lines["covered"], lines["count"], functions["covered"], functions["count"]]):
        folders[folder][place] += number
        folders["all"][place] += number
print(f"{'folder':<16} {'lines':>8} {'run':>8} {'':>7} {'functions':>10} {'run':>8}")
for folder, (run, lines, called, functions) in sorted(folders.items(), key=lambda item: (item[0] == "all", item[0])):
    print(f"{folder:<16} {lines:>8} {run:>8} {run / max(lines, 1):>7.1%} {functions:>10} {called:>8}")
PY
[[ $status == 0 ]] || echo "coverage: some tests failed; the figures are of what ran" >&2
echo "coverage: .build/coverage/index.html has every line"
exit "$status"
