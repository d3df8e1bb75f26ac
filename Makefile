SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help install run up test test-slow test-nightly bench-forecast lint types docs migration lock clean

PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --no-input --disable-pip-version-check

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: .venv/installed ## Create .venv with the locked dependencies (again only when they change)

# The stamp is written last, so an interrupted installation is taken up again by the next `make`.
.venv/installed: pyproject.toml requirements.lock requirements.hashes
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' || { \
	  echo "error: $(PYTHON) is not Python 3.11 or 3.12; name one: make install PYTHON=python3.11" >&2; exit 1; }
	@echo "Installing $$(grep -c '==' requirements.lock) locked packages into .venv: minutes, 2 GB or more"
	$(PYTHON) -m venv .venv
	@$(PIP) --require-hashes --no-deps -r requirements.hashes | awk '\
	  /^(Collecting|Processing)/ && ++n % 20 == 0 {print "  " n " fetched"; fflush()} \
	  /^Installing/ {print "  unpacking"; fflush()}'
	@echo "  torch, the one package without a hash: its build is this machine's choice"
	@$(PIP) --quiet -r requirements.lock
	@$(PIP) --quiet --no-deps --no-build-isolation -e .
	@touch $@

run: install ## From snapshots to forecasts; on your own: make run ARGS="--history PATH"
	@$(BIN)/yt-platform run $(ARGS)

up: install ## Dagster and MLflow in the browser, until Ctrl-C
	@exec $(BIN)/yt-platform up $(ARGS)

PYTEST := $(BIN)/python -m pytest

test: install ## All tests but the long ones, with coverage
	$(PYTEST) -m "not slow and not nightly" --cov -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test-slow: install ## The long tests: millions of rows, crashes, a month of trouble
	$(PYTEST) -m "slow and not nightly" -n auto --maxprocesses 2 --dist worksteal

test-nightly: install ## The longest: 20 million rows
	$(PYTEST) -m nightly -n auto --maxprocesses 2 --dist worksteal

bench-forecast: install .venv-bench/installed ## Our models beside three libraries, on real data where there is some
	$(BIN)/python benchmarks/forecast.py $(ARGS)

# Apart from .venv: the peers bring a hundred packages that the platform does not need.
.venv-bench/installed: benchmarks/requirements-forecast.txt
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --no-input --disable-pip-version-check --quiet -r $<
	@touch $@

lint: install ## ruff: rules and format; import-linter: who may know whom
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports

types: install ## mypy, strict
	$(BIN)/mypy

docs: install ## Remake docs/data-dictionary.md and the views of reports from the contracts
	$(BIN)/python scripts/report_views.py
	$(BIN)/python scripts/data_dictionary.py > docs/data-dictionary.md

migration: install ## Write the next file of sql/migrations from what the tables declare: make migration NAME=...
	@test -n "$(NAME)" || { echo "error: say what it does: make migration NAME=video_records" >&2; exit 2; }
	$(BIN)/python scripts/make_migration.py $(NAME)

lock: ## Remake requirements.lock and .hashes; ARGS=--upgrade takes newer versions
	PYTHON=$(PYTHON) scripts/lock.sh $(ARGS)

clean: ## Remove what make built; never the data under YT_HOME
	rm -rf .venv .venv-bench build dist *.egg-info .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.yt/*' -prune -exec rm -rf {} +
