# P7 and P8 of SPEC section 7: `cache warmup`. Read by scripts/bench.sh after batch.sh, whose `on`, `rate`, `peak_memory` and
# `url_of` it uses.
#
# A database of USERS users. Every round begins with an empty Redis, and the three ways of filling it take turns: the command as
# cron would run it, `redis-cli --pipe` of the finished SET … EX commands, and one SETEX at a time.

users=${USERS:-1000000}
# One at a time takes a while: a part tells the rate.
users_one=${USERS_ONE:-20000}

redis() { redis-cli -s "$redis_socket" "$@"; }

prepare_warmup() {
  redis_socket=${IRONFORGE_REDIS_URL#unix://}
  redis_socket=${redis_socket%%\?*}
  on ironforge -c "drop database if exists warm with (force)" -c "create database warm"
  "$ironforge" migrate up --quiet --dir "$root/migrations" --database-url "$(url_of warm)" >/dev/null
  on warm -c "insert into users (email, name, last_login_at)
    select 'user-' || n || '@example.com', 'User number ' || n, now() - n * interval '1 second'
    from generate_series(1, $users) n" -c "vacuum (freeze, analyze)" -c checkpoint
  redis flushall >/dev/null
  "$ironforge" cache warmup --scope users --quiet --database-url "$(url_of warm)" >/dev/null
  # The peers send the same keys, values and lives.
  on warm -A -t -c "select 'user:' || id from users" | sed 's/^/GET /' >keys.txt
  redis <keys.txt | paste -d ' ' <(cut -d ' ' -f 2 keys.txt) - >values.txt
  # RESP, as `redis-cli --pipe` wants it: lengths in bytes.
  LC_ALL=C awk '{
    value = substr($0, length($1) + 2)
    printf "*5\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n$2\r\nEX\r\n$4\r\n3600\r\n", length($1), $1, length(value), value
  }' values.txt >pipe.resp
  # In single quotes the client takes the text as it is; these have no quotes.
  head -n "$users_one" values.txt | sed "s/^\([^ ]*\) \(.*\)$/SETEX \1 3600 '\2'/" >one.txt
}

# Every key must be there, or the figures mean nothing.
check_warm() {
  local found
  found=$(redis dbsize)
  [[ $found -ge $1 ]] || { echo "$2: $found of $1 keys arrived" >&2; exit 1; }
}

warm() {
  exec "$ironforge" cache warmup --scope users --quiet --json --database-url "$(url_of warm)"
}
pipe_in() { redis --pipe <pipe.resp; }
one_in() { redis <one.txt; }

measure_warmup() {
  prepare_warmup
  local way ours
  for _ in $(seq "$runs"); do
    for way in warm pipe_in one_in; do
      redis flushall >/dev/null
      if [[ $way == one_in ]]; then
        rate "$users_one" one_in >>p7.one_in
        check_warm "$users_one" "$way"
      else
        rate "$users" "$way" >>p7."$way"
        check_warm "$users" "$way"
      fi
    done
  done
  redis flushall >/dev/null
  # What was measured must also be right.
  warm_and_audit
  ours=$(median <p7.warm | cut -d. -f1)
  local pipe one
  pipe=$(median <p7.pipe_in | cut -d. -f1) one=$(median <p7.one_in | cut -d. -f1)
  report P7 "cache warmup, $users users" "$ours /s" "redis-cli --pipe, SET … EX" "$pipe /s" "$(ratio "$ours" "$pipe")" ">= 0.5"
  report P7 "cache warmup, $users users" "$ours /s" "redis-cli, one SETEX at a time" "$one /s" "$(ratio "$ours" "$one")" ">= 5"
}

warm_and_audit() {
  (warm >/dev/null)
  "$ironforge" cache audit --all --scope users --quiet --database-url "$(url_of warm)" >/dev/null ||
    { echo "P7: the cache is not what the database says" >&2; exit 1; }
}

measure_warmup_memory() {
  [[ -e pipe.resp ]] || prepare_warmup
  redis flushall >/dev/null
  local kilobytes
  kilobytes=$(peak_memory warm)
  check_warm "$users" P8
  report P8 "cache warmup, $users users, resident" "$(awk -v k="$kilobytes" 'BEGIN { printf "%.1f", k / 1024 }') MB" \
    "" "" "" "<= 64 MB"
}
