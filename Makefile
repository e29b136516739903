# Everything a user runs. `make help` lists it.
.DEFAULT_GOAL := help
.PHONY: help install demo test test-all coverage lint ui bench docs clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
CONSTRAINTS ?= constraints.txt
DATA ?=
FAMILIES ?=
PORT ?=
# A variable's text as one word of the shell, whatever characters it has.
quoted = '$(subst ','\'',$(value $1))'
# A file's tests share what they take long to make, and stay together; the longest begin first.
SIDE_BY_SIDE := -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

$(STAMP): pyproject.toml constraints.txt
	@echo "installing into $(VENV) (once) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off \
	  $(if $(CONSTRAINTS),-c $(CONSTRAINTS)) -e '.[dev]'
	@touch $@

install: $(STAMP)  ## install into .venv, as every other command does first; CONSTRAINTS= for the newest versions

demo: $(STAMP)  ## load a market, export its submission, show the scoreboard; DATA=<competition folder>, FAMILIES=all
	@$(BIN)/quant-assets demo $(if $(value DATA),$(call quoted,DATA)) \
	  $(if $(value FAMILIES),--families $(call quoted,FAMILIES))

test: $(STAMP) lint  ## lint, types and the tests that a change is likely to break
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not slow"

test-all: $(STAMP) lint  ## lint, types and all tests, the slow ones too
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE)

coverage: $(STAMP)  ## lines that the tests of `make test` run, by module
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not slow" --cov --cov-report=term:skip-covered

lint: $(STAMP)  ## style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

ui: $(STAMP)  ## open Dagster on http://127.0.0.1:3000; PORT=<another>
	@$(BIN)/quant-assets ui $(if $(value PORT),--port $(call quoted,PORT))

bench: $(STAMP)  ## time the platform beside the alternatives; DATA=<competition folder>
	@$(BIN)/python -m benchmarks $(if $(value DATA),$(call quoted,DATA))

docs: $(STAMP)  ## write the reference pages in docs/ from the code
	@$(BIN)/python -m quant_assets.commands.docs docs

clean:  ## remove the virtual environment and caches; data stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .coverage

help:  ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
