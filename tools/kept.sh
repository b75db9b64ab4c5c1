#!/bin/bash
# Runs a command; if it fails, the end of its output is kept for `make test`, which shows it last.
#   tools/kept.sh NAME COMMAND...
set -euo pipefail
cd "$(dirname "$0")/.."
log=.cache/log/$1
mkdir -p .cache/log .cache/failed
rm -f ".cache/failed/$1"
if ! "${@:2}" 2>&1 | tee "$log"; then
  { echo "== failed: $1"; tail -n 25 "$log" | cut -c -300; } > ".cache/failed/$1"
  exit 1
fi
