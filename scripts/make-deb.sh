#!/bin/sh
# Makes .build/ironforge_VERSION_ARCH.deb out of what `make release` built. Needs dpkg-dev.
set -eu
cd "$(dirname "$0")/.."
release=.build/release
command -v dpkg-shlibdeps >/dev/null || { echo "make-deb: dpkg-shlibdeps is missing: apt-get install dpkg-dev" >&2; exit 69; }
version=$("$release/ironforge" --version | sed -n '1s/^ironforge \([0-9.]*\).*/\1/p')
architecture=$(dpkg --print-architecture)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
package=$work/ironforge
mkdir -p "$package/DEBIAN" "$package/etc/ironforge" "$work/debian"

DESTDIR=$package scripts/install.sh /usr
# The account and the directories are systemd's work (sysusers.d, StateDirectory); the configuration is the administrator's.
install -m 644 "$package/usr/share/doc/ironforge/examples/config.toml" "$package/etc/ironforge/config.toml"
echo /etc/ironforge/config.toml >"$package/DEBIAN/conffiles"
mkdir -p "$package/usr/share/zsh/vendor-completions"
mv "$package/usr/share/zsh/site-functions/_ironforge" "$package/usr/share/zsh/vendor-completions/"
rmdir "$package/usr/share/zsh/site-functions"

# The libraries that the programs load, as packages with versions. dpkg-shlibdeps wants a source package around it.
printf 'Source: ironforge\n\nPackage: ironforge\nArchitecture: any\n' >"$work/debian/control"
depends=$(cd "$work" && dpkg-shlibdeps -O "$package"/usr/bin/* 2>"$work/shlibdeps.log") \
  || { cat "$work/shlibdeps.log" >&2; exit 1; }
size=$(du -sk --exclude=DEBIAN "$package" | cut -f 1)
cat >"$package/DEBIAN/control" <<CONTROL
Package: ironforge
Version: $version
Architecture: $architecture
Maintainer: IronForge <ironforge@localhost>
Installed-Size: $size
Section: database
Priority: optional
${depends#shlibs:}
Suggests: postgresql, redis-server, man-db
Description: run a wallet backend on PostgreSQL and Redis
 Moves money exactly once, keeps caches warm and never stale, audits and prunes indexes with proof, and
 runs batch jobs that survive kill -9. One command, for shells, cron and systemd, and a second program
 that serves wallets over HTTP, read only.
CONTROL
sed -i 's/^Depends=/Depends: /' "$package/DEBIAN/control"
cat >"$package/DEBIAN/postinst" <<'POSTINST'
#!/bin/sh
set -e
# The account of the services. Where systemd is not (a container), nobody needs it.
if [ "$1" = configure ] && command -v systemd-sysusers >/dev/null; then systemd-sysusers ironforge.conf; fi
if [ "$1" = configure ] && [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
POSTINST
chmod 755 "$package/DEBIAN/postinst"
(cd "$package" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -0 md5sum >DEBIAN/md5sums)
deb=.build/ironforge_${version}_$architecture.deb
dpkg-deb --root-owner-group --build "$package" "$deb" >&2
echo "$deb"
