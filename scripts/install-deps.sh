#!/bin/sh
# Installs what building, testing and running IronForge needs beyond the Swift toolchain, as far as it is missing:
# Debian and Ubuntu, as root or through sudo. No server is left running: the sandbox and the tests start their own.
# Quick when nothing is missing. Exit 69 when something is missing and cannot be installed.
#
#   scripts/install-deps.sh [profiling]     with it, perf and valgrind too
set -eu
wanted=${1:-}
case $wanted in
"" | profiling) ;;
*)
  echo "install-deps: nothing is called $wanted; there is: profiling" >&2
  exit 64
  ;;
esac

say() { echo "install-deps: $*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }
have_file() { for file in "$@"; do [ -e "$file" ] && return 0; done; return 1; }

# The directory of the newest PostgreSQL server, as the sandbox finds it.
postgres_bin() {
  if [ -n "${IRONFORGE_PG_BIN:-}" ]; then echo "$IRONFORGE_PG_BIN"; return; fi
  if have initdb && have postgres; then dirname "$(readlink -f "$(command -v postgres)")"; return; fi
  for bin in /usr/lib/postgresql/*/bin; do [ -x "$bin/postgres" ] && echo "$bin"; done | sort -V | tail -n 1
}

missing_packages() {
  if [ "$wanted" = profiling ]; then
    # Ubuntu names it after its kernel; what needs no perf must work without.
    have perf || ! apt-cache show linux-perf >/dev/null 2>&1 || echo linux-perf
    have valgrind || echo valgrind
  fi
  # It draws the flame graphs and the tables.
  have python3 || echo python3
  # Peers and data of `make bench` come from PyPI.
  python3 -c 'import ensurepip' 2>/dev/null || echo python3-venv
  python3 -m pip --version >/dev/null 2>&1 || echo python3-pip
  have pkg-config || echo pkg-config
  have_file /usr/include/postgresql/libpq-fe.h /usr/include/libpq-fe.h || echo libpq-dev
  have_file /usr/include/hiredis/hiredis.h /usr/local/include/hiredis/hiredis.h || echo libhiredis-dev
  have_file /usr/include/pg_query.h /usr/local/include/pg_query.h || echo libpg-query-dev
  [ -n "$(postgres_bin)" ] || echo postgresql
  have redis-server || echo redis-server
  # The tests talk to PostgreSQL through it.
  have pgbouncer || [ -x /usr/sbin/pgbouncer ] || echo pgbouncer
  # bench and ironforge-serve compress by zlib; the tests talk to it by curl, with certificates by openssl.
  have_file /usr/include/zlib.h /usr/local/include/zlib.h || echo zlib1g-dev
  have curl || echo curl
  have openssl || echo openssl
  # `make bench` measures it beside nginx, by wrk and h2load.
  have wrk || echo wrk
  have h2load || echo nghttp2-client
  have nginx || [ -x /usr/sbin/nginx ] || echo nginx-light
  have make || echo make
  # make-deb.sh learns from it which packages the programs need.
  have dpkg-shlibdeps || echo dpkg-dev
  have git || echo git
  have setpriv || echo util-linux
  # The Swift package manager fetches over HTTPS; the Swift library needs the C++ one to link.
  have_file /etc/ssl/certs/ca-certificates.crt || echo ca-certificates
  have_file /usr/include/c++/*/vector || echo g++
  have ld.lld || have_file "$(dirname "$(readlink -f "$(command -v swift || echo /usr/bin/swift)")")/ld.lld" || echo lld
}

# HypoPG serves `index advise`; the package is named after the server's major version.
missing_hypopg() {
  bin=$(postgres_bin)
  version=$(basename "$(dirname "$bin")")
  case $bin in /usr/lib/postgresql/*) ;; *) return 0 ;; esac
  [ -e "/usr/lib/postgresql/$version/lib/hypopg.so" ] && return 0
  ! apt-cache show "postgresql-$version-hypopg" >/dev/null 2>&1 || echo "postgresql-$version-hypopg"
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then env "$@"; else sudo env "$@"; fi
}

apt() {
  as_root DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Acquire::Retries=3 -o Acquire::http::Timeout=30 \
    -o Acquire::https::Timeout=30 -o DPkg::Lock::Timeout=120 -o Dpkg::Options::=--force-confold "$@" >&2
}

# While packages are configured: policy-rc.d keeps Debian from starting services, createcluster.conf from making a
# database cluster that nobody asked for. Both are put back at the end.
forbid_services() {
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee /usr/sbin/policy-rc.d >/dev/null
    as_root chmod 755 /usr/sbin/policy-rc.d
    wrote_policy=yes
  fi
}

forbid_cluster() {
  conf=/etc/postgresql-common/createcluster.conf
  if [ -e "$conf" ] && ! grep -q '^create_main_cluster' "$conf"; then
    echo 'create_main_cluster = false # for a moment, by install-deps.sh' | as_root tee -a "$conf" >/dev/null
    wrote_cluster=yes
  fi
}

restore() {
  [ "$wrote_policy" = no ] || as_root rm -f /usr/sbin/policy-rc.d
  [ "$wrote_cluster" = no ] \
    || as_root sed -i '/for a moment, by install-deps.sh$/d' /etc/postgresql-common/createcluster.conf
  wrote_policy=no
  wrote_cluster=no
}

missing=$(missing_packages)
if [ -z "$missing" ]; then
  missing=$(missing_hypopg)
  optional=yes
else
  optional=no
fi
[ -n "$missing" ] || exit 0
missing=$(echo $missing)

refuse() {
  if [ "$optional" = yes ]; then
    say "$missing is not installed; index advice will do without it ($1)"
    exit 0
  fi
  say "missing: $missing"
  say "$1"
  exit 69
}

have apt-get || refuse "this is no Debian or Ubuntu: install the equivalents with your package manager"
if [ "$(id -u)" -ne 0 ]; then
  have sudo || refuse "neither root nor sudo: ask an administrator to run: apt-get install $missing"
  # Without a terminal sudo could not ask for a password and must not wait for one.
  [ -t 0 ] || sudo -n true 2>/dev/null \
    || refuse "sudo wants a password and there is no terminal: run: sudo apt-get install $missing"
fi

wrote_policy=no
wrote_cluster=no
trap restore EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say "installing $missing"
forbid_services
apt update || say "the package lists could not be refreshed; trying with the old ones"
case " $missing " in
*" postgresql "*)
  apt install --no-install-recommends postgresql-common || refuse "apt-get failed, see above"
  ;;
esac
forbid_cluster
# shellcheck disable=SC2086 # package names, one word each
apt install --no-install-recommends $missing || refuse "apt-get failed, see above"

if [ "$optional" = no ]; then
  extra=$(missing_hypopg)
  if [ -n "$extra" ] && ! apt install --no-install-recommends "$extra"; then
    say "$extra could not be installed; index advice will do without it"
  fi
fi
# What was installed just now must not come up at the next boot either.
for service in postgresql redis-server nginx; do
  case " $missing " in
  *" $service "* | *" $service-light "*)
    if have systemctl && [ -d /run/systemd/system ]; then as_root systemctl --quiet disable "$service" || true; fi
    ;;
  esac
done

left=$(missing_packages)
[ -z "$left" ] || { missing=$(echo $left); refuse "still missing after the installation"; }
say "done"
