#!/bin/sh
# Records docs/session.svg: commands that are really run, in a sandbox of their own, with what a terminal showed of them.
# Drawn by rich (PyPI), which is installed into .build and nowhere else.
set -eu
cd "$(dirname "$0")/.."
python=.build/record/bin/python
[ -x "$python" ] || python3 -m venv .build/record
"$python" -c 'import rich' 2>/dev/null || "$python" -m pip install --quiet rich
exec "$python" scripts/record-session.py "$PWD/.build/release" docs/session.svg
