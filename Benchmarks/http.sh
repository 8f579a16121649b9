# Sourced by scripts/bench.sh: ironforge-serve beside nginx with a static file of the same size, wrk in both cases, and
# h2load for HTTP/2. SEED row 1 asks for P50 < 100, P95 < 500, P99 < 1000 ms and more than 1000 requests a second without an error.

# Requests a second, percentiles in ms and errors, as wrk measured them: "rps p50 p95 p99 errors".
wrk_figures() { # URL
  cat >figures.lua <<'LUA'
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format("figures %.0f %.2f %.2f %.2f %d\n", summary.requests / summary.duration * 1e6,
    latency:percentile(50) / 1000, latency:percentile(95) / 1000, latency:percentile(99) / 1000,
    e.connect + e.read + e.write + e.status + e.timeout))
end
LUA
  wrk -t2 -c400 -d"${HTTP_SECONDS:-30}s" -s figures.lua "$1" | sed -n 's/^figures //p'
}

resident() { awk '/VmRSS/ { print $2 }' "/proc/$1/status"; }

measure_http() {
  local port=18099 peer_port=18098 tool PATH=$PATH:/usr/sbin
  for tool in wrk h2load nginx curl; do
    command -v $tool >/dev/null || { echo "HTTP: $tool is missing: apt-get install wrk nghttp2-client nginx-light curl" >&2; return; }
  done
  "$ironforge" serve --listen 127.0.0.1:$port --access-log none --quiet &
  local server=$! url=http://127.0.0.1:$port tries=0
  until curl -sf -o /dev/null "$url/api/ready"; do
    tries=$((tries + 1)); [[ $tries -lt 100 ]] || { echo "HTTP: the service does not get ready" >&2; return 1; }
    sleep 0.1
  done
  local id
  id=$(on ironforge -Atc "select id from wallets limit 1")
  mkdir -p www/logs
  curl -sf "$url/api/v1/wallets/$id" >www/wallet.json
  curl -sf "$url/api/health" >www/health.json
  cat >nginx.conf <<CONF
daemon off; worker_processes auto; pid $work/nginx.pid; error_log stderr error;
events { worker_connections 1024; }
http {
  # Where an ordinary user may write.
  client_body_temp_path $work/tmp1; proxy_temp_path $work/tmp2; fastcgi_temp_path $work/tmp3; uwsgi_temp_path $work/tmp4; scgi_temp_path $work/tmp5;
  access_log off; server { listen 127.0.0.1:$peer_port; root $work/www; }
}
CONF
  nginx -p "$work" -c "$work/nginx.conf" &
  local peer=$! before after
  sleep 1
  before=$(resident $server)
  local name path file ours theirs
  for name in health wallet; do
    if [[ $name == health ]]; then path=/api/health file=health.json; else path=/api/v1/wallets/$id file=wallet.json; fi
    ours=($(wrk_figures "$url$path"))
    theirs=($(wrk_figures "http://127.0.0.1:$peer_port/$file"))
    report HTTP "$name: requests a second" "${ours[0]}" "nginx, a file of the same size" "${theirs[0]}" \
      "$(ratio "${ours[0]}" "${theirs[0]}")" "> 1000, errors ${ours[4]}"
    report HTTP "$name: P50, P95, P99 in ms" "${ours[1]}, ${ours[2]}, ${ours[3]}" "" "${theirs[1]}, ${theirs[2]}, ${theirs[3]}" "" \
      "< 100, < 500, < 1000"
  done
  after=$(resident $server)
  report HTTP "resident memory, KiB, before and after" "$before, $after" "" "" "" "flat"
  local h2
  h2=$(h2load -c40 -m10 -D "${HTTP_SECONDS:-30}" "$url/api/v1/wallets/$id" | awk '/^finished in/ { print $4 }')
  report HTTP "wallet over HTTP/2, h2load, requests a second" "$h2" "" "" "" "> 1000"
  kill -TERM $server $peer
  wait $server $peer || true
}
