#!/bin/bash
# Style, types, and which room imports which.
set -euo pipefail
cd "$(dirname "$0")/.."
.venv/bin/ruff check --no-cache .
.venv/bin/ruff format --no-cache --check .
.venv/bin/python tools/walls.py
.venv/bin/basedpyright --pythonpath .venv/bin/python
Rscript tools/lint.R
