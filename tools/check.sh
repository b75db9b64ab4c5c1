#!/bin/bash
# R CMD check of the built package as CRAN runs it, without its servers; errors, warnings and notes are failures.
set -euo pipefail
cd "$(dirname "$0")/.."
rm -rf .cache/check
mkdir -p .cache/check
(cd .cache/check && R CMD build ../..)
export _R_CHECK_FORCE_SUGGESTS_=false
export NOT_CRAN=true # else testthat skips the snapshots of messages and prints
export _R_CHECK_CRAN_INCOMING_REMOTE_=false _R_CHECK_FUTURE_FILE_TIMESTAMPS_=false
# the first example starts TensorFlow, others train; CRAN, which has no TensorFlow, skips them
export _R_CHECK_EXAMPLE_TIMING_THRESHOLD_=60
R CMD check --as-cran --no-manual --output=.cache/check .cache/check/bertr_*.tar.gz
grep -q '^Status: OK$' .cache/check/bertr.Rcheck/00check.log
