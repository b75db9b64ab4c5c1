#!/bin/bash
# Runs all of tests/torture, each with its number of trials and a random seed, which it prints. `torture.sh draw` runs
# only a few trials of most, in about a minute.
set -uo pipefail
cd "$(dirname "$0")/.."
python=.venv/bin/python
failed=()

run() { # NAME TRIALS FEW
  local trials=$2
  [ "$mode" != draw ] || trials=$3
  [ "$trials" != 0 ] || return 0
  echo "== $1"
  case $1 in
    *.py) timeout 900 $python "tests/torture/$1" "$trials" ;;
    *.R) timeout 900 Rscript "tests/torture/$1" "$trials" ;;
  esac || failed+=("$1")
}

mode=${1:-all}
run interrupts.py 200 4
run kills.py 35 1
run shared_folder.py 20 1
run sessions.R 20 0 # tests/testthat/test-session.R has some of it
run soak.R 2000 30
run hostile.R 5000 200
[ ${#failed[@]} -eq 0 ] || { echo "Failed: ${failed[*]}" >&2; exit 1; }
