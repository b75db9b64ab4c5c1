#!/bin/bash
# R CMD check of the built package; errors, warnings and notes are failures.
set -euo pipefail
cd "$(dirname "$0")/.."
rm -rf .cache/check
mkdir -p .cache/check/bertr
# R CMD build copies the whole folder, with gigabytes of Python packages in .venv, before it leaves anything out
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents --target-directory=.cache/check/bertr
(cd .cache/check && R CMD build bertr)
export _R_CHECK_FORCE_SUGGESTS_=false _R_CHECK_PACKAGE_DEPENDS_IGNORE_MISSING_ENHANCES_=true
export NOT_CRAN=true # else testthat skips the snapshots of messages and prints
export TZ=${TZ:-UTC} # else loading recipes calls timedatectl, which complains in a container: a note
# checks that --as-cran adds; --as-cran itself asks CRAN about suggested packages that are not installed
export _R_CHECK_RD_LINE_WIDTHS_=true _R_CHECK_S3_METHODS_NOT_REGISTERED_=true _R_CHECK_CONNECTIONS_LEFT_OPEN_=true
export _R_CHECK_CODE_USAGE_VIA_NAMESPACES_=true _R_CHECK_CODE_USAGE_WITH_ONLY_BASE_ATTACHED_=true
export _R_CHECK_PACKAGES_USED_IGNORE_UNUSED_IMPORTS_=false _R_CHECK_EXCESSIVE_IMPORTS_=20
R CMD check --no-manual --output=.cache/check .cache/check/bertr_*.tar.gz || true
if ! grep -q '^Status: OK$' .cache/check/bertr.Rcheck/00check.log; then
  sed -n '/\.\.\. \(NOTE\|WARNING\|ERROR\)$/,/^\* /p' .cache/check/bertr.Rcheck/00check.log || true
  find .cache/check/bertr.Rcheck/tests -name '*.Rout.fail' -exec sed -n '/^[═=]* Failed tests/,$p' {} + 2>/dev/null || true
  exit 1
fi
