# P10 of SPEC section 7: an audit of a database with ten thousand indexes. Read by scripts/bench.sh.
#
# INDEXES says how many: on a fifth as many tables, each with a primary key, a foreign key's index, one on an expression, a partial one,
# and one that makes another redundant, so that the rules have work to do.

audit_indexes=${INDEXES:-10000}

measure_audit() {
  local tables=$((audit_indexes / 5)) from to count
  on ironforge -c "create database audit"
  # A few hundred tables a transaction: each takes locks.
  for ((from = 1; from <= tables; from += 200)); do
    to=$((from + 199 < tables ? from + 199 : tables))
    on audit -v from="$from" -v to="$to" -f "$root/Benchmarks/sql/indexes.sql"
  done
  on audit -c "analyze" -c "checkpoint"
  count=$(on audit -A -t -c \
    "select count(*) from pg_index i join pg_class c on c.oid = i.indrelid where c.relnamespace = 'public'::regnamespace")
  [[ $count -ge $audit_indexes ]] || { echo "P10: $count of $audit_indexes indexes were made" >&2; exit 1; }
  local audit=("$ironforge" index audit --database-url "$(url_of audit)" --json --fail-on none --html audit.html)
  # The peer reads names, scans, sizes and definitions of the same indexes, and judges nothing.
  definitions() {
    on audit -A -c "select s.schemaname, s.relname, s.indexrelname, s.idx_scan, pg_relation_size(s.indexrelid),
      pg_get_indexdef(s.indexrelid), pg_get_expr(i.indpred, i.indrelid)
      from pg_stat_user_indexes s join pg_index i using (indexrelid)"
  }
  : >p10.ours
  : >p10.peer
  for _ in $(seq "$runs"); do
    timed "${audit[@]}" >>p10.ours
    timed definitions >>p10.peer
  done
  # It must have seen them all, or the time means nothing.
  grep -q "<b>$count</b><span>indexes on" audit.html || { echo "P10: the audit saw other indexes" >&2; exit 1; }
  local ours peer
  ours=$(($(median <p10.ours | cut -d. -f1) / 1000)) peer=$(($(median <p10.peer | cut -d. -f1) / 1000))
  report P10 "index audit, $count indexes" "$ours ms" "psql, their sizes and definitions" "$peer ms" \
    "$(ratio "$ours" "$peer")" "<= 3000 ms"
  report P10 "index audit, $count indexes, resident" \
    "$(awk -v k="$(peak_memory exec "${audit[@]}")" 'BEGIN { printf "%.1f", k / 1024 }') MB" "" "" "" "<= 128 MB"
}
