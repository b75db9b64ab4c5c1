# make demo   fine-tunes the default model on the shipped faq30 data
# make test   lint, pytest, and R CMD check with the testthat tests
# make torture  half an hour of kills, interrupts, hostile input and a soak test; make test runs a few trials
# make setup  installs what these need; then any R script runs with RETICULATE_PYTHON=.venv/bin/python
# make bench  compares with peers, which it installs into bench/.env: DATA is a folder of data sets (bench/texts.py)
# make docs   regenerates man/ and NAMESPACE
# make vignettes  renders vignettes/*.Rmd.orig with their results, which takes some minutes; V= chooses some
# make site   builds the website into docs/; asks CRAN for links to packages that are not installed
# make format formats the Python code
# make typecheck  checks types with pyright
# make coverage   shows which lines the tests run; PY= and R= choose the tests, see CONTRIBUTING.md
# make oldest runs the Python tests with the oldest TensorFlow and Keras that DESCRIPTION promises
.PHONY: setup demo test lint pytest pytest-first pytest-second exact check bench docs oldest setup-test setup-dev \
  format typecheck coverage site vignettes

export RETICULATE_PYTHON := $(CURDIR)/.venv/bin/python
export PYTHONDONTWRITEBYTECODE := 1

setup:
	@tools/setup.sh

setup-test:
	@tools/setup.sh test

setup-dev:
	@tools/setup.sh dev

demo: setup
	Rscript inst/examples/faq30.R

# two at a time, the longest first: most of them use one thread
test: setup-test
	@rm -rf .cache/failed
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target --keep-going \
	  pytest-second pytest-first check exact torture-draw lint || { cat .cache/failed/* 2>/dev/null; exit 1; }

# keeps each part's output, so that the end of failed ones can be shown last
KEPT = tools/kept.sh $@

lint: setup-test
	$(KEPT) tools/lint.sh

format: setup-test
	.venv/bin/ruff check --no-cache --fix --select I .
	.venv/bin/ruff format --no-cache .

typecheck: setup-test
	.venv/bin/basedpyright --pythonpath .venv/bin/python

PYTEST := env COLUMNS=200 PYTHONPATH=inst/python .venv/bin/python -m pytest -q -p no:cacheprovider --durations=25

pytest: pytest-first pytest-second exact

pytest-first: setup-test
	$(KEPT) $(PYTEST) $(wildcard tests/python/test_[a-q]*.py)

pytest-second: setup-test
	$(KEPT) $(PYTEST) $(wildcard tests/python/test_[r-z]*.py)

# numerical tests that run with oneDNN, again without it
exact: setup-test
	TF_ENABLE_ONEDNN_OPTS=0 $(KEPT) $(PYTEST) \
	  $(addprefix tests/python/test_,attention.py dense.py encoder.py memory.py normalising.py optim.py training.py)

# PY: files of Python tests; R: a pattern of names of R tests, as testthat's `filter`
PY ?= tests/python
R ?=
coverage: setup-dev
	@mkdir -p .cache
	COVERAGE_FILE=.cache/coverage $(PYTEST) --cov=bertr --cov-report=term --cov-report=xml:.cache/coverage-python.xml $(PY)
	Rscript tools/coverage.R .cache/coverage-r.xml $(if $(R),'$(R)')

oldest: setup-test
	tools/oldest.sh

check: setup-test
	$(KEPT) tools/check.sh

bench: setup
	.venv/bin/python bench/run.py --data $(DATA)

docs: setup-dev
	Rscript -e 'roxygen2::roxygenise()'

vignettes: setup-dev
	Rscript tools/vignettes.R $(V)

# bertr is not on CRAN, so pkgdown need not look for it there
site: setup-dev
	Rscript -e 'options(pkgdown.internet = FALSE); pkgdown::build_site(preview = FALSE)'

.PHONY: torture torture-draw
torture: setup-test
	tools/torture.sh

torture-draw: setup-test
	$(KEPT) tools/torture.sh draw
