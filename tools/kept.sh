#!/bin/bash
# Runs a command and prints its output; if it fails, the end is kept for `make test`, which shows it last.
#   tools/kept.sh NAME COMMAND...
set -euo pipefail
cd "$(dirname "$0")/.."
log=.cache/log/$1
mkdir -p .cache/log .cache/failed
rm -f ".cache/failed/$1"
result=0
"${@:2}" >"$log" 2>&1 || result=$? # no pipe: a process that a test left behind would hold it open
cat "$log"
if [ "$result" != 0 ]; then
  {
    echo "== failed: $1"
    sed '/^=* slowest .*durations =*$/,/^=* short test summary/d' "$log" | tail -n 40 | cut -c -300
  } >".cache/failed/$1"
fi
exit "$result"
