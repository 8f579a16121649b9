# P4, P5, P6 and P8 of SPEC section 7: `transfer batch`. Read by scripts/bench.sh, which has set up the server.
#
# Every round begins with copies of one and the same database, seeded with WALLETS funded wallets. Rows name wallets
# by id and have keys of their own; the outcome file is written, as one would want it of payouts.

rows=${ROWS:-200000}
rows_memory=${ROWS_MEMORY:-1000000}
wallets=${WALLETS:-10000}

# "database … does not exist, skipping" is no news.
export PGOPTIONS="-c client_min_messages=warning"

# The URL of another database of the same server: the sandbox's own with its name replaced.
url_of() { echo "${IRONFORGE_DATABASE_URL/\/\/\/ironforge?/\/\/\/$1?}"; }

# `rows_file N hot|uniform`: N transfers with keys on stdout, the same ones each time.
rows_file() {
  awk -v n="$1" -v kind="$2" -v wallets="$wallets" 'BEGIN {
    srand(1)
    print "key,from,to,amount,currency"
    for (i = 1; i <= n; i++) {
      from = kind == "hot" ? 1 : 1 + int(rand() * wallets)
      do to = 1 + int(rand() * wallets); while (to == from)
      printf "payout-%09d,00000000-0000-7000-8000-%012d,00000000-0000-7000-8000-%012d,%d.%02d,USD\n", i, from, to,
        rand() * 10, 1 + rand() * 99
    }
  }'
}

on() { "$bin/psql" -X -q -v ON_ERROR_STOP=1 -d "$(url_of "$1")" "${@:2}"; }

# `fresh NAME`: a copy of the seeded database, its pages and the log written out.
fresh() {
  on ironforge -c "drop database if exists $1 with (force)" -c "create database $1 template seeded" -c checkpoint
}

# `rate ROWS COMMAND…`: rows a second of a whole process.
rate() {
  local start=${EPOCHREALTIME/[.,]/}
  ("${@:2}" >/dev/null) || { echo "failed ($?): ${*:2}" >&2; exit 1; }
  awk -v n="$1" -v us=$((${EPOCHREALTIME/[.,]/} - start)) 'BEGIN { printf "%d\n", n * 1e6 / us }'
}

# `batch FILE DATABASE`: the command as it is, without an option that makes it faster. To be run in a process of its own.
batch() {
  exec "$ironforge" transfer batch "$1" --outcome outcome.csv --quiet --json --database-url "$(url_of "$2")"
}

# Every row must have been carried out, and the ledger must be sound, or the figures mean nothing.
check() {
  local found
  found=$(on "$1" -A -t -c "select count(*) from transfers where key like 'payout-%' and status = 'posted'")
  [[ $found == "$2" ]] || { echo "$1: $found of $2 transfers arrived" >&2; exit 1; }
  "$ironforge" ledger verify --quiet --database-url "$(url_of "$1")" >/dev/null || { echo "$1 is broken" >&2; exit 1; }
}

# The most memory that a process ever had, in kB: the kernel keeps the peak, and the last look before its end is taken.
peak_memory() {
  ("$@" >/dev/null) &
  local process=$! peak=0 now
  while now=$(awk '/^VmHWM/ { print $2 }' "/proc/$process/status" 2>/dev/null) && [[ -n $now ]]; do
    peak=$now
    sleep 0.05
  done
  wait "$process" || { echo "failed ($?): $*" >&2; exit 1; }
  echo "$peak"
}

# `copy_in FORMAT`: the peer's round; what the batch wrote, by psql's \copy in one transaction.
copy_in() {
  on peer -c begin -c "\\copy transfers from transfers.$1 (format $1)" \
    -c "\\copy transactions from transactions.$1 (format $1)" -c commit
}

prepare_batches() {
  on ironforge -c "drop database if exists seeded with (force)" -c "create database seeded"
  "$ironforge" migrate up --quiet --dir "$root/migrations" --database-url "$(url_of seeded)" >/dev/null
  on seeded -v wallets="$wallets" -f "$root/Benchmarks/sql/setup.sql" -f "$root/Benchmarks/sql/funding.sql"
  on seeded -c "vacuum (freeze, analyze)"
  rows_file "$rows" uniform >uniform.csv
  rows_file "$rows" hot >hot.csv
}

measure_batches() {
  prepare_batches
  local format
  for _ in $(seq "$runs"); do
    fresh ours
    rate "$rows" batch uniform.csv ours >>p4.ours
    check ours "$rows"
    if [[ $wanted == *" P4 "* ]]; then
      "$bin/pgbench" -n -M prepared -c 8 -j 2 -T 5 -f "$root/Benchmarks/sql/naive.sql" "$IRONFORGE_DATABASE_URL" \
        >p4.pgbench 2>&1 || { cat p4.pgbench >&2; exit 1; }
      sed -n 's/^tps = \([0-9]*\).*/\1/p' p4.pgbench >>p4.peer
    fi
    if [[ $wanted == *" P5 "* ]]; then
      for format in binary csv; do
        # In the order in which they were written, which is the best for the indexes, too.
        on ours -c "\\copy (select * from transfers where key like 'payout-%' order by id) to transfers.$format (format $format)" \
          -c "\\copy (select e.* from transactions e join transfers t on t.id = e.transfer_id where t.key like 'payout-%' order by e.id) to transactions.$format (format $format)"
        fresh peer
        rate "$rows" copy_in "$format" >>p5."$format"
      done
    fi
    if [[ $wanted == *" P6 "* ]]; then
      fresh ours
      rate "$rows" batch hot.csv ours >>p6.hot
      check ours "$rows"
    fi
  done
  local ours peer
  ours=$(median <p4.ours | cut -d. -f1)
  if [[ $wanted == *" P4 "* ]]; then
    peer=$(median <p4.peer | cut -d. -f1)
    report P4 "transfer batch, $rows rows, $wallets wallets" "$ours /s" "pgbench -c 8, seven statements" "$peer /s" \
      "$(ratio "$ours" "$peer")" ">= 5"
  fi
  if [[ $wanted == *" P5 "* ]]; then
    # The peer's better format.
    peer=$(printf '%s\n' "$(median <p5.binary)" "$(median <p5.csv)" | sort -n | tail -n 1 | cut -d. -f1)
    report P5 "transfer batch, $rows rows, $wallets wallets" "$ours /s" "\\copy of the finished rows" "$peer /s" \
      "$(ratio "$ours" "$peer")" ">= 0.5"
  fi
  if [[ $wanted == *" P6 "* ]]; then
    peer=$ours ours=$(median <p6.hot | cut -d. -f1)
    report P6 "transfer batch, one hot wallet" "$ours /s" "transfer batch, uniform" "$peer /s" \
      "$(ratio "$ours" "$peer")" ">= 0.9"
  fi
}

measure_memory() {
  [[ -e uniform.csv ]] || prepare_batches
  rows_file "$rows_memory" uniform >memory.csv
  fresh ours
  local kilobytes
  kilobytes=$(peak_memory batch memory.csv ours)
  check ours "$rows_memory"
  report P8 "transfer batch, $rows_memory rows, resident" "$(awk -v k="$kilobytes" 'BEGIN { printf "%.1f", k / 1024 }') MB" \
    "" "" "" "<= 64 MB"
}
