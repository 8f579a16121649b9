#!/bin/sh
# Compares `ironforge migrate lint` with squawk (PyPI squawk-cli) on the files of Tests/MigrationsTests/Lint, each of which
# says in its first line what a linter should find. Prints for both what was found, missed, and found falsely.
#   Benchmarks/lint.sh [ironforge [squawk]]
set -eu
cd "$(dirname "$0")/.."
ironforge=${1:-.build/release/ironforge}
squawk=${2:-squawk}
command -v "$squawk" >/dev/null || { echo "lint.sh: no squawk; pip install squawk-cli" >&2; exit 69; }
exec python3 Benchmarks/lint.py "$ironforge" "$squawk" Tests/MigrationsTests/Lint
