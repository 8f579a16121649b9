# P11 of SPEC section 7: `index advise` on TPC-H, by advise.sh. Read by scripts/bench.sh.

measure_advice() {
  if ! RUNS=$runs "$root/Benchmarks/advise.sh" "$ironforge" >advise.log 2>&1; then
    tail -n 5 advise.log >&2
    report P11 "index advise, TPC-H 0.1" "failed" "see above" "" "" "<= 0.40"
    return 1
  fi
  local ratio indexes
  ratio=$(sed -n 's/^cost ratio: \([0-9.]*\) .*/\1/p' advise.log)
  indexes=$(sed -n 's/^cost ratio: .* with \([0-9]*\) indexes.*/\1/p' advise.log)
  report P11 "index advise, TPC-H 0.1, 22 queries, 100 MB" "$ratio cost" "no indexes" "1.000 cost" "$ratio" "<= 0.40"
  report P11 "index advise, indexes" "$indexes" "" "" "" "<= 10"
  report P11 "index advise, time" "$(sed -n 's/^search: \([0-9]*\) ms.*/\1/p' advise.log) ms" "" "" "" "<= 10000 ms"
  sed -n 's/^real times/P11 real times/p' advise.log
}
