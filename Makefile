# README.md has the two commands. Everything is installed into .venv, once; PYTHON names the
# interpreter.

PYTHON ?= python3
VENV := $(CURDIR)/.venv
BIN := $(VENV)/bin
PIP_INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check \
  --constraint constraints.txt
STAMP := $(VENV)/installed
PORT ?= 11112
HTTP_PORT ?= 8080
TEST_PROCESSES ?= 2
SECONDS ?= 60
DIST ?= $(CURDIR)/dist
RUN_INDEX := $(CURDIR)/build/run.sqlite
PROGRAM = $(patsubst $(CURDIR)/%,%,$(BIN))/dicomquest

.DEFAULT_GOAL := help
.PHONY: help setup run test lint style docs fuzz bench conformance dist picture clean

help:
	@echo 'make run          index the DICOM files that pydicom ships and serve them on port $(PORT)'
	@echo 'make test         run the tests in two processes'
	@echo 'make lint         check style, types and layers'
	@echo 'make style        print the figures of style'
	@echo 'make docs         build the documentation site into build/site'
	@echo 'make fuzz         change recorded bytes at random and hold the invariants of fuzz/'
	@echo 'make bench        run the benchmarks'
	@echo 'make conformance  say which test shows which requirement'
	@echo 'make dist         build the wheel, the source archive and the SBOM into dist/'
	@echo 'make picture      draw the terminal session of README.md anew'
	@echo 'make clean        remove what the other targets made'

setup: $(STAMP)

# --no-build-isolation, so that the build back end too is the one pinned in constraints.txt.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "dicomquest needs Python 3.11 or later." >&2; \
	  echo "'$(PYTHON)' is $$($(PYTHON) --version 2>&1)." >&2; \
	  echo "Name another one: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@test -x $(BIN)/python && $(BIN)/python -m pip --version >/dev/null 2>&1 || \
	  $(PYTHON) -m venv --clear $(VENV) || { \
	  echo "'$(PYTHON) -m venv' failed: on Debian, install the package python3-venv." >&2; exit 1; }
	$(PIP_INSTALL) hatchling editables
	$(PIP_INSTALL) --no-build-isolation --editable '.[dev,docs]'
	@touch $@

# The printed commands work as pasted, in the project's folder.
run: $(STAMP)
	@mkdir -p $(dir $(RUN_INDEX))
	@data=$$($(BIN)/python -c 'import pydicom; print(pydicom.__path__[0])')/data; \
	$(BIN)/dicomquest index --index $(RUN_INDEX) "$$data/test_files" "$$data/charset_files"
	@echo
	@echo "DICOMQUEST listens on 127.0.0.1 port $(PORT). In a second terminal, in this folder:"
	@echo "  $(PROGRAM) find 127.0.0.1 $(PORT) -m patient -L PATIENT \
	'PatientName=C*' PatientID PatientSex"
	@echo "  findscu -P -k QueryRetrieveLevel=PATIENT -k 'PatientName=C*' \
	-k PatientID -k PatientSex 127.0.0.1 $(PORT)"
	@echo "A browser searches at http://127.0.0.1:$(HTTP_PORT)/"
	@echo "Ctrl-C here stops the server."
	@echo "The documentation begins with docs/index.md; $(PROGRAM) --help lists the commands."
	@echo
	@exec $(BIN)/dicomquest serve --index $(RUN_INDEX) --port $(PORT) --http $(HTTP_PORT)

test: $(STAMP)
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile $(PYTEST_ARGS)

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/style.py --check

# The figures of style; SINCE=REVISION reports on the commits after it, too.
style: $(STAMP)
	@$(BIN)/python tools/style.py $(if $(SINCE),--since $(SINCE))

# Material for MkDocs advertises its successor on standard error, unless it is told not to.
# No --quiet: with it MkDocs does not see the warnings that --strict is to count.
docs: $(STAMP)
	$(BIN)/python tools/import_graph.py docs/explanation/import-graph.svg
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	$(BIN)/python tools/check_site.py build/site

# SECONDS for all targets together; FUZZ_ARGS names targets, or --executions.
fuzz: $(STAMP)
	$(BIN)/python -m fuzz --seconds $(SECONDS) $(FUZZ_ARGS)

bench: $(STAMP)
	$(BIN)/python -m bench

conformance: $(STAMP)
	@$(BIN)/python tools/conformance.py

# hatchling is the pinned one of the environment, so nothing is fetched here.
dist: $(STAMP)
	$(BIN)/hatchling build --clean --directory $(DIST)
	$(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible \
	  --output-file $(DIST)/dicomquest.cdx.json deploy/requirements.txt

picture: $(STAMP)
	$(BIN)/python tools/picture.py --port $(PORT)

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
