# Everything that a person or a machine does with this repository. `make` alone lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
LS_VENV := .venv-label-studio
ML_VENV := .venv-label-studio-ml
LOWEST_VENV := .venv-lowest
BIN := $(VENV)/bin
INSTALL := PYTHON=$(PYTHON) requirements/install.sh
UV = $(or $(shell command -v uv),$(BIN)/uv)
COMPILE = $(UV) pip compile --quiet --upgrade --universal --python-version 3.11 \
	--no-annotate --no-emit-index-url --custom-compile-command "make lock"
PYTEST := $(BIN)/python -m pytest
MKDOCS := NO_MKDOCS_2_WARNING=true $(BIN)/python -m mkdocs
export YOLO_OFFLINE ?= 1
export ORT_DISABLE_TELEMETRY := 1
# some containers forbid Python to keep compiled modules; each process of a test would compile ours
export PYTHONDONTWRITEBYTECODE :=
# keep caches inside this folder, and pip's nowhere
export PIP_NO_CACHE_DIR := 1
export XDG_CACHE_HOME := $(CURDIR)/.cache
export MPLCONFIGDIR := $(CURDIR)/.cache/matplotlib

help: ## list what can be made
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.installed ## make the environment of the backend
label-studio: $(LS_VENV)/.installed ## make the environment of Label Studio, which pins other versions
label-studio-ml: $(ML_VENV)/.installed ## make an environment with the package label-studio-ml

$(VENV)/.installed: pyproject.toml requirements/backend.lock
	@$(INSTALL) $(VENV) requirements/backend.lock "7 GB" --editable '.[dev,demo]'
	@touch $@

$(LS_VENV)/.installed: requirements/label-studio.lock
	@$(INSTALL) $(LS_VENV) requirements/label-studio.lock "800 MB"
	@touch $@

# The backend goes in without its dependencies: the lock has those that its web part needs
$(ML_VENV)/.installed: requirements/label-studio-ml.lock
	@$(INSTALL) $(ML_VENV) requirements/label-studio-ml.lock "100 MB"
	@$(ML_VENV)/bin/python -m pip install --quiet --no-deps --editable .
	@touch $@

lock: ## choose versions anew and write requirements/*.lock
	$(COMPILE) pyproject.toml --extra dev --extra demo --output-file requirements/backend.lock
	$(COMPILE) requirements/label-studio.in --output-file requirements/label-studio.lock
	$(COMPILE) requirements/label-studio-ml.in --output-file requirements/label-studio-ml.lock
	@sed -i -E "s/( ;| and) python_full_version < '3.14' and sys_platform == 'linux'$$//; \
		s/ and sys_platform == 'linux'$$//" requirements/*.lock

demo: install label-studio ## a trial run with its own Label Studio, on real images
	@$(BIN)/autolabel demo

check: install ## lint, formatting, types, import contracts, layout, documentation
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports --no-cache
	$(PYTEST) --quiet tests/unit/test_house.py tests/unit/test_docs.py tests/unit/test_settings.py
	$(MKDOCS) build --strict --quiet

docs: install ## the documentation as a site, in .cache/site
	$(MKDOCS) build --strict

# Several files of tests at a time. Those with services wait for each other's answers, and for faults
# to pass, so three of them keep two processors busy; those that compute fill the gaps.
PARALLEL := --dist=loadfile --no-loadscope-reorder --numprocesses
# Threads of OpenMP that wait for each other keep a processor busy: training a detector beside other
# tests took four times as long with two of them. Measurements use as many threads as users get.
test coverage coverage-unit unit component contract integration e2e faults: export OMP_NUM_THREADS ?= 1
test: label-studio label-studio-ml ## all checks and all tests, with the coverage of the unit tests
	$(MAKE) --jobs=2 --output-sync check coverage-unit
	$(PYTEST) $(PARALLEL)=3 tests/component tests/contract tests/e2e tests/faults tests/integration

# While Python 3.11 traces, all code takes 2 to 5 times as long, the libraries' too, with branches or
# without; so only the tests that are quick are measured always.
coverage-unit: install ## unit tests and what they cover: all decisions, two thirds of all
	$(PYTEST) $(PARALLEL)=2 --cov --cov-report= tests/unit
	$(BIN)/coverage report --include='backend/domain/*,backend/policies/*' --fail-under=100
	$(BIN)/coverage report --skip-covered --fail-under=68

# With many threads, Python 3.11 may fail to install the tracer in one of them: no tests with services
coverage: install label-studio-ml ## what all tests without services cover, in a quarter of an hour
	$(PYTEST) $(PARALLEL)=2 --cov --cov-report= tests/component tests/contract tests/unit
	$(BIN)/coverage report --skip-covered --fail-under=88

unit: install ## pure tests: no process, no socket, no torch
	$(PYTEST) tests/unit --hypothesis-profile=quick --numprocesses=2

component: install ## one part with what it drives: processes, sockets, torch
	$(PYTEST) tests/component

contract: install label-studio-ml ## the HTTP contract and each port, real and fake
	$(PYTEST) tests/contract

integration: install ## several parts together: Redis, worker, web, browser
	$(PYTEST) tests/integration

e2e: install label-studio ## with a real Label Studio
	$(PYTEST) tests/e2e

faults: install label-studio ## every fault at every step of a job, and every fuzzed request
	FAULTS=all $(PYTEST) --numprocesses=2 tests/faults

bench: install label-studio ## measurements, printed as ratios
	$(BIN)/python -m tests.bench

lowest: ## unit tests with the lowest versions that pyproject.toml allows
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) $(LOWEST_VENV)
	@$(UV) pip install --quiet --python $(LOWEST_VENV)/bin/python --resolution lowest-direct \
		--constraint requirements/lowest.constraints --editable '.[dev,demo]'
	$(LOWEST_VENV)/bin/python -m pytest tests/unit --hypothesis-profile=quick -W default

clean: ## remove what was built, environments included
	rm -rf $(VENV) $(LS_VENV) $(ML_VENV) $(LOWEST_VENV) .cache .bench build dist *.egg-info

.PHONY: help docs install label-studio label-studio-ml lock demo check test coverage coverage-unit unit \
	component contract integration e2e faults bench lowest clean
