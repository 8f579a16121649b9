#!/usr/bin/env bash
# Holds the file of `bench --hdr` against HdrHistogram's own package for Python: the same requests, and percentiles that lie
# as close as three digits can tell. Needs python3 with venv, and the package index.
#
#   Benchmarks/hdr.sh [IRONFORGE]
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
ironforge=$(readlink -f "${1:-$root/.build/release/ironforge}")
work=$(mktemp -d /tmp/ironforge-hdr.XXXXXX)
cd "$work"
trap '"$ironforge" sandbox down --quiet >/dev/null || true; rm -rf "$work"' EXIT

python3 -m venv venv
venv/bin/pip install --quiet hdrhistogram==0.10.8
"$ironforge" sandbox up --quiet >/dev/null
"$ironforge" migrate up --dir "$root/migrations" --quiet >/dev/null
"$ironforge" fixtures generate --users 100 --wallets 500 --transfers 500 --quiet >/dev/null
"$ironforge" bench read --stages 3s:100,3s:300 --hdr run.hlog --json >run.json || [[ $? == 99 ]]

venv/bin/python - <<'PYTHON'
import json
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

ours = json.load(open("run.json"))
total = HdrHistogram(1, 3_600_000_000_000, 3)
reader = HistogramLogReader("run.hlog", total)
seconds = 0
while reader.add_next_interval_histogram():
    seconds += 1
print(f"{seconds} seconds, {total.get_total_count()} requests")
assert total.get_total_count() == ours["requests"], ours["requests"]
for key, percentile in (("p50", 50), ("p90", 90), ("p95", 95), ("p99", 99), ("p99_9", 99.9), ("max", 100)):
    theirs = total.get_value_at_percentile(percentile) / 1e6
    print(f"{key:6} {ours['latency_ms'][key]:10.3f} ms here, {theirs:10.3f} ms there")
    # Which of two neighbours is the percentile, they round differently.
    near = [total.get_value_at_percentile(max(0, percentile - step)) / 1e6 for step in (0.1, -0.1)]
    low, high = min(near + [theirs]), max(near + [theirs])
    assert low * 0.998 <= ours["latency_ms"][key] <= high * 1.002, (low, high)
PYTHON
