#!/bin/sh
# Installs the package into a clean Debian (debootstrap), runs it there, and removes it again. Needs root and debootstrap.
set -eu
cd "$(dirname "$0")/.."
[ "$(id -u)" -eq 0 ] || { echo "test-deb: needs root, for chroot" >&2; exit 77; }
command -v debootstrap >/dev/null || { echo "test-deb: debootstrap is missing: apt-get install debootstrap" >&2; exit 69; }
deb=$(ls -t .build/ironforge_*.deb | head -n 1)
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' "Codename: $suite" | head -n 1)
root=$(mktemp -d)
# Everybody lives in there, not root alone.
chmod 755 "$root"
trap 'umount "$root/proc" 2>/dev/null || true; rm -rf --one-file-system "$root"' EXIT
debootstrap --variant=minbase "$suite" "$root" "$mirror" >"$root.log" 2>&1 || { tail -n 20 "$root.log" >&2; exit 69; }
rm -f "$root.log"
# Packages come from where this machine's do.
rm -f "$root/etc/apt/sources.list"
for list in /etc/apt/sources.list /etc/apt/sources.list.d /etc/apt/apt.conf.d /etc/apt/keyrings /usr/share/keyrings \
  /usr/local/share/ca-certificates /etc/ssl/certs /etc/resolv.conf; do
  [ -e "$list" ] && mkdir -p "$root$(dirname "$list")" && cp -rL "$list" "$root$(dirname "$list")/" || true
done
cp "$deb" "$root/ironforge.deb"
# Servers for the sandbox, so that money moves in there.
inside() { env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb DEBIAN_FRONTEND=noninteractive chroot "$root" "$@"; }
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
# Swift reads the arguments of a program from /proc.
mount -t proc proc "$root/proc"
# PostgreSQL keeps its shared memory there.
chmod 1777 "$root/dev/shm"
inside apt-get -q -y update >/dev/null
inside apt-get -q -y --no-install-recommends install /ironforge.deb postgresql redis-server util-linux man-db curl >"$root/install.log" 2>&1 \
  || { tail -n 30 "$root/install.log" >&2; exit 1; }
inside ironforge --version | grep '^ironforge [0-9]'
inside sh -ec '
  ls /usr/share/bash-completion/completions/ironforge /usr/share/man/man1/ironforge-transfer.1.gz
  ironforge config check
  mkdir /srv/try && cd /srv/try
  trap "ironforge sandbox down" EXIT
  ironforge sandbox up
  ironforge migrate up
  ironforge fixtures load
  ironforge transfer --from ada@example.com/main --to bob@example.com/main --amount 1.50 --currency USD
  ironforge cache warmup --scope all
  ironforge wallet balance bob@example.com/main
  ironforge ledger verify
  man -w ironforge-transfer ironforge-serve
  ironforge-serve --help | head -n 1
  ironforge serve --listen 127.0.0.1:8088 --quiet --access-log none & service=$!
  curl -fsS --retry 30 --retry-connrefused --retry-delay 1 "http://127.0.0.1:8088/api/v1/wallets?limit=1"
  kill "$service" && wait "$service"'
inside apt-get -q -y purge ironforge >/dev/null
[ ! -e "$root/usr/bin/ironforge" ] && [ ! -e "$root/etc/ironforge" ] || { echo "test-deb: purge left files" >&2; exit 1; }
echo "test-deb: $deb installs, runs and is removed in a clean $suite"
