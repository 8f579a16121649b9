#!/bin/sh
# Installs what `make release` built: the programs, migrations, fixtures, completions, manual pages, systemd units and examples.
#   scripts/install.sh PREFIX          under PREFIX, /usr/local by default
#   DESTDIR=DIR scripts/install.sh …   into DIR/PREFIX, for packages
# Nothing is enabled or started, and no existing configuration is touched.
set -eu
cd "$(dirname "$0")/.."
prefix=${1:-/usr/local}
case $prefix in /*) ;; *) echo "install: PREFIX must be an absolute path: $prefix" >&2; exit 64 ;; esac
root=${DESTDIR:-}$prefix
release=.build/release
[ -x $release/ironforge ] || { echo "install: nothing is built: run make release" >&2; exit 1; }

# Where systemd looks: its directories under /usr do not depend on /usr/local.
case $prefix in /usr | /usr/local) units=${DESTDIR:-}$prefix/lib/systemd/system ;; *) units=$root/lib/systemd/system ;; esac
share=$root/share

put() { # MODE FILE DIRECTORY
  install -d "$3"
  install -m "$1" "$2" "$3/"
}
# A text in which @bindir@ stands for where the programs are.
put_text() { # FILE DIRECTORY
  install -d "$2"
  sed "s|@bindir@|$prefix/bin|g" "$1" >"$2/$(basename "$1")"
  chmod 644 "$2/$(basename "$1")"
}

for program in ironforge ironforge-serve; do
  [ ! -x "$release/$program" ] || put 755 "$release/$program" "$root/bin"
done
for file in migrations/*.sql; do put 644 "$file" "$share/ironforge/migrations"; done
for file in fixtures/*; do put 644 "$file" "$share/ironforge/fixtures"; done

completion() { # SHELL DIRECTORY NAME
  install -d "$2"
  "$release/ironforge" --generate-completion-script "$1" >"$2/$3"
  chmod 644 "$2/$3"
}
completion bash "$share/bash-completion/completions" ironforge
completion zsh "$share/zsh/site-functions" _ironforge
completion fish "$share/fish/vendor_completions.d" ironforge.fish

# The pages are made from the commands' own help; their names get the usual dashes, and the table of exit codes.
manuals=$(mktemp -d)
trap 'rm -rf "$manuals"' EXIT
.build/debug/generate-manual "$PWD/$release/ironforge" --multi-page --output-directory "$manuals"
install -d "$share/man/man1"
for page in "$manuals"/*.1; do
  sed -e 's/^$/.Pp/; s/ironforge\.\([a-z]\)/ironforge-\1/g; s/IRONFORGE\.\([A-Z]\)/IRONFORGE-\1/g' \
    -e ':dots' -e 's/\(ironforge-[a-z.-]*\)\.\([a-z]\)/\1-\2/; s/\(IRONFORGE-[A-Z.-]*\)\.\([A-Z]\)/\1-\2/; t dots' \
    -e '/^\.Ex -std/{r scripts/package/exit-status.mdoc' -e 'd}' "$page" |
    gzip -9n >"$share/man/man1/$(basename "$page" .1 | tr . -).1.gz"
done

for unit in scripts/package/systemd/*.service scripts/package/systemd/*.timer; do put_text "$unit" "$units"; done
put_text scripts/package/systemd/ironforge-.service.d/hardening.conf "$units/ironforge-.service.d"
install -d "$root/lib/sysusers.d"
install -m 644 scripts/package/sysusers.conf "$root/lib/sysusers.d/ironforge.conf"
for example in scripts/package/examples/*; do put_text "$example" "$share/doc/ironforge/examples"; done
for text in README.md docs/*.md; do put 644 "$text" "$share/doc/ironforge"; done
echo "installed $($release/ironforge --version | head -n 1) under $root"
case $prefix in
/usr | /usr/local) ;;
*) echo "systemd does not look in $units: to use the units, run systemctl link $units/*.service $units/*.timer" ;;
esac
