# Sourced by scripts/bench.sh: what `bench http` says of a server beside what wrk (HTTP/1.1) and h2load (HTTP/2) say of the same one, taking
# turns: nginx with a file of 600 bytes, on one core, and ironforge-serve. Each generator has one thread. The figures must agree.
#
#   RUNS=5 HTTP_LOAD_SECONDS=5 scripts/bench.sh LOAD

# "rps p50 p99", times in ms.
wrk_load() { # URL CONNECTIONS
  wrk -t1 "-c$2" -d"${HTTP_LOAD_SECONDS:-5}s" --latency "$1" | awk '
    function ms(text) { return text ~ /us$/ ? text / 1000 : text ~ /ms$/ ? text + 0 : text * 1000 }
    $1 == "50%" { p50 = ms($2) } $1 == "99%" { p99 = ms($2) } /Requests\/sec/ { rps = $2 }
    /Socket errors|Non-2xx/ { errors = 1; print > "/dev/stderr" }
    END { print rps, p50, p99; exit errors }'
}

h2load_load() { # URL CONNECTIONS STREAMS
  # Its log has a line a request: when it began, its status, and how many microseconds it took.
  rm -f h2load.log
  h2load -t1 "-c$2" "-m$3" --warm-up-time 1 -D "${HTTP_LOAD_SECONDS:-5}" --log-file=h2load.log "$1" >h2load.out
  awk '/^status codes:/ && ($5 + $7 + $9) > 0 { print > "/dev/stderr"; exit 1 }' h2load.out
  awk '/^finished in/ { printf "%s ", $4 }' h2load.out
  cut -f3 h2load.log | sort -n | awk '{ v[NR] = $1 } END { print v[int(NR * 0.5) + 1] / 1000, v[int(NR * 0.99) + 1] / 1000 }'
}

our_load() { # URL CONNECTIONS OPTION...
  local url=$1 connections=$2
  shift 2
  # A missed [targets] figure is exit 99 and no failure of this measurement; an error is.
  "$ironforge" bench http "$url" --connections "$connections" --threads 1 --duration "${HTTP_LOAD_SECONDS:-5}s" \
    --json "$@" >load.json 2>load.err || [[ $? == 99 ]] || { cat load.err >&2; return 1; }
  grep -q '"errors":0,' load.json || { cat load.json >&2; return 1; }
  sed 's/.*"requests_per_second":\([0-9.]*\),.*"latency_ms":{"p50":\([0-9.]*\),.*"p99":\([0-9.]*\),"p99_9".*/\1 \2 \3/' load.json
}

# Two lines of the table: throughput and latencies.
compare_load() { # NAME PEER-NAME
  local column ours=() theirs=()
  for column in 1 2 3; do
    ours+=("$(cut -d' ' -f$column load.ours | median)")
    theirs+=("$(cut -d' ' -f$column load.peer | median)")
  done
  report LOAD "$1: requests a second" "$(printf %.0f "${ours[0]}")" "$2" "$(printf %.0f "${theirs[0]}")" \
    "$(ratio "${ours[0]}" "${theirs[0]}")" "within noise"
  report LOAD "$1: P50, P99 in ms" "$(printf '%.2f, %.2f' "${ours[1]}" "${ours[2]}")" "" \
    "$(printf '%.2f, %.2f' "${theirs[1]}" "${theirs[2]}")" "" "within noise"
}

compare_server() { # NAME URL-HTTP1 URL-HTTP2
  local _
  rm -f load.ours load.peer
  for _ in $(seq "$runs"); do
    wrk_load "$2" 32 >>load.peer
    our_load "$2" 32 >>load.ours
  done
  compare_load "bench http, $1, HTTP/1.1, 32 connections" "wrk -t1 -c32"
  rm -f load.ours load.peer
  for _ in $(seq "$runs"); do
    h2load_load "$3" 4 10 >>load.peer
    our_load "$3" 4 --http2 --streams 10 >>load.ours
  done
  compare_load "bench http, $1, HTTP/2, 4 x 10 streams" "h2load -t1 -c4 -m10"
}

measure_http_load() {
  local tool port=18095 http2_port=18096 service_port=18097 PATH=$PATH:/usr/sbin
  for tool in wrk h2load nginx curl; do
    command -v $tool >/dev/null || { echo "LOAD: $tool is missing: apt-get install wrk nghttp2-client nginx-light curl" >&2; return; }
  done
  mkdir -p static/logs
  head -c 600 /dev/zero | tr '\0' x >static/file
  # Connections that live as long as the measurement.
  cat >static/nginx.conf <<CONF
daemon off; worker_processes 1; pid $work/static/nginx.pid; error_log stderr error;
events { worker_connections 1024; }
http {
  # Where an ordinary user may write.
  client_body_temp_path $work/static/tmp1; proxy_temp_path $work/static/tmp2; fastcgi_temp_path $work/static/tmp3; uwsgi_temp_path $work/static/tmp4; scgi_temp_path $work/static/tmp5;
  access_log off; keepalive_requests 1000000000; root $work/static;
  server { listen 127.0.0.1:$port; }
  server { listen 127.0.0.1:$http2_port http2; }
}
CONF
  nginx -p "$work/static" -c "$work/static/nginx.conf" &
  local peer=$!
  "$ironforge" serve --listen 127.0.0.1:$service_port --access-log none --quiet &
  local service=$! url=http://127.0.0.1:$service_port/api/health tries=0
  until curl -sf -o /dev/null "$url" && curl -sf -o /dev/null "http://127.0.0.1:$port/file"; do
    tries=$((tries + 1)); [[ $tries -lt 100 ]] || { echo "LOAD: the servers do not get ready" >&2; return 1; }
    sleep 0.1
  done
  compare_server nginx "http://127.0.0.1:$port/file" "http://127.0.0.1:$http2_port/file"
  compare_server ironforge-serve "$url" "$url"
  kill -TERM $service $peer
  wait $service $peer || true
}
