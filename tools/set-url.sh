#!/bin/bash
# Sets the address of the repository in DESCRIPTION, README.md, _pkgdown.yml and inst/CITATION: set-url.sh OWNER/REPO.
# They have none before. Called again, it replaces the previous address.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! [[ ${1:-} =~ ^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$ ]]; then
  echo "Usage: tools/set-url.sh OWNER/REPO" >&2
  exit 1
fi
owner=${1%/*} name=${1#*/}
url=https://github.com/$1
paper=https://doi.org/10.18653/v1/N19-1423

edit() { # FILE AWK-PROGRAM
  awk -v url="$url" -v paper="$paper" -v site="https://$owner.github.io/$name/" -v short="$owner/$name" \
    "$2" "$1" >"$1.new"
  cat "$1.new" >"$1"
  rm "$1.new"
}

edit DESCRIPTION '/^BugReports:/ { next }
  /^URL:/ { print "URL: " url ", " paper; print "BugReports: " url "/issues"; next } 1'
edit README.md '/^remotes::install_/ { print "remotes::install_github(\"" short "\")"; next } 1'
edit _pkgdown.yml '/^url:/ { next } /^template:/ { print "url: " site } 1'
edit inst/CITATION '/^  url = / { next } { print } /^  key = "bertr"/ { print "  url = \"" url "\"," }'
grep -Hn "$1\|$owner.github.io" DESCRIPTION README.md _pkgdown.yml inst/CITATION
