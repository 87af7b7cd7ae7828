# make demo   the main job on a simulated cohort, from nothing but Python 3.11 or newer
# make test   linters, types, architecture and tests
# make lint   the same without the tests
#
# Both create .venv and install the package into it; that is done again only when
# pyproject.toml or constraints.txt change. PYTHON=python3.12 picks an interpreter.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DEMO_OUTPUT ?= neuroparcel-demo

.PHONY: help install demo test pytest lint format clean

help:
	@sed -n 's/^# \{0,1\}//p' Makefile

install: $(INSTALLED)

# Not compiled here, which would take a minute: Python compiles what it imports.
$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and "neuroparcel needs Python 3.11 or newer, but $(PYTHON) is %d.%d: make PYTHON=python3.11 ..." % v[:2])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile \
		-c constraints.txt -e '.[dev]'
	@touch $@

demo: install
	$(BIN)/neuroparcel demo --output $(DEMO_OUTPUT) --overwrite

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Types are checked beside the tests, whose workers now and then wait.
test: install
	$(MAKE) --jobs=2 lint pytest

# Two processes with one thread each: what two cores do best.
pytest: install
	# In the order of tests/conftest.py, not by the number of tests in a file.
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder \
		--durations=15

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
