# P9 of SPEC section 7: the cache in the process. Read by scripts/bench.sh.
#
# What a hit costs is printed by `cache simulate` on traces whose keys all fit. Hit ratios are compared on TRACES (text, one
# key a line, may be gzipped) with LRU and the optimum, and with moka where moka-py can be had from PyPI.

traces=${TRACES:-$root/Tests/CacheTests/Traces/*.txt}
capacities=${CAPACITIES:-50 100 500 1000 2000 5000 10000}

# `keys_file N uniform|zipf`: two million requests for N keys like those of wallets.
keys_file() {
  awk -v n="$1" -v kind="$2" 'BEGIN {
    srand(1)
    for (i = 0; i < 2000000; i++)
      printf "wallet:0190a1b2-c3d4-7e5f-8a9b-%012x\n", kind == "zipf" ? int(exp(rand() * log(n))) : int(rand() * n)
  }'
}

# `figure NAME FILE`: a number of a JSON object.
figure() { sed 's/.*"'"$1"'":\([0-9.]*\).*/\1/' "$2"; }

measure_hits() {
  local kind keys
  for kind in "1000 uniform" "10000 zipf" "10000 uniform"; do
    read -r keys kind <<<"$kind"
    keys_file "$keys" "$kind" >keys.txt
    : >p9.ours
    for _ in $(seq "$runs"); do
      "$ironforge" cache simulate keys.txt --capacity 10000 --json >p9.json
      figure ns_per_access p9.json >>p9.ours
    done
    report P9 "L1 hit, $keys keys, $kind" "$(median <p9.ours) ns" "" "" "" "<= 150 ns"
  done
}

measure_hit_ratios() {
  local python="" trace capacity moka=()
  if python3 -m venv moka >/dev/null 2>&1 && moka/bin/pip install -q moka-py==0.5.0 >/dev/null 2>&1; then
    python=moka/bin/python
  fi
  printf '\n%-20s %9s %9s %9s %9s %9s %9s\n' trace capacity ours LRU moka "strict" optimum
  for trace in $traces; do
    case $trace in *.gz) zcat "$trace" >trace.txt ;; *) cat "$trace" >trace.txt ;; esac
    for capacity in $capacities; do
      "$ironforge" cache simulate trace.txt --capacity "$capacity" --json >p9.json
      # A cache that holds every key says nothing of its policy.
      ((capacity < $(figure distinct p9.json))) || continue
      [[ -z $python ]] || read -r -a moka <<<"$($python "$root/Benchmarks/moka.py" trace.txt "$capacity")"
      printf '%-20s %9d %9s %9s %9s %9s %9s\n' "$(basename "$trace" | cut -d. -f1)" "$capacity" \
        "$(figure hit_ratio p9.json)" "$(figure lru_hit_ratio p9.json)" "${moka[1]:--}" "${moka[2]:--}" \
        "$(figure optimal_hit_ratio p9.json)"
    done
  done
}
