#!/bin/bash
# R CMD check of the built package; errors, warnings and notes are failures.
set -euo pipefail
cd "$(dirname "$0")/.."
rm -rf .cache/check
mkdir -p .cache/check
(cd .cache/check && R CMD build ../..)
export _R_CHECK_FORCE_SUGGESTS_=false
export NOT_CRAN=true # else testthat skips the snapshots of messages and prints
R CMD check --no-manual --output=.cache/check .cache/check/bertr_*.tar.gz
grep -q '^Status: OK$' .cache/check/bertr.Rcheck/00check.log
