#!/bin/sh
# Prints the commit of this tree as one number, for the linker (Sources/CBuild/cbuild.h); 0 outside of git.
set -eu
cd "$(dirname "$0")/.."
commit=$(git rev-parse --short=7 HEAD 2>/dev/null | cut -c 1-7) || commit=
[ -n "$commit" ] || { echo 0; exit 0; }
flags=1
[ -z "$(git status --porcelain 2>/dev/null)" ] || flags=3
echo "0x$flags$commit"
