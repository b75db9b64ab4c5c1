# make demo   fine-tunes the default model on the shipped faq30 data
# make test   lint, pytest, and R CMD check with the testthat tests
# make torture  half an hour of kills, interrupts, hostile input and a soak; make test does a little of it
# make setup  what both need; with RETICULATE_PYTHON=.venv/bin/python any R script then runs
# make bench  compares with peers, which it installs into bench/.env: DATA is a folder of data sets (bench/texts.py)
# make docs   writes man/ and NAMESPACE anew (needs the R package roxygen2)
.PHONY: setup demo test lint pytest check bench docs setup-test

export RETICULATE_PYTHON := $(CURDIR)/.venv/bin/python
export PYTHONDONTWRITEBYTECODE := 1

setup:
	@tools/setup.sh

setup-test:
	@tools/setup.sh test

demo: setup
	Rscript inst/examples/faq30.R

test: lint pytest torture-draw check

lint: setup-test
	.venv/bin/ruff check --no-cache .
	Rscript tools/lint.R

pytest: setup-test
	PYTHONPATH=inst/python .venv/bin/python -m pytest -q -p no:cacheprovider tests/python

check: setup-test
	tools/check.sh

bench: setup
	.venv/bin/python bench/run.py --data $(DATA)

docs:
	Rscript -e 'roxygen2::roxygenise()'

.PHONY: torture torture-draw
torture: setup-test
	tools/torture.sh

torture-draw: setup-test
	tools/torture.sh draw
