# Everything that a person or a machine does with this repository. `make` alone lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
LS_VENV := .venv-label-studio
ML_VENV := .venv-label-studio-ml
BIN := $(VENV)/bin
LABEL_STUDIO_VERSION := 1.23.2
export YOLO_OFFLINE ?= 1
export ORT_DISABLE_TELEMETRY := 1
# nothing outside this folder: no cache of pip's, and those of libraries here
export PIP_NO_CACHE_DIR := 1
export XDG_CACHE_HOME := $(CURDIR)/.cache
export MPLCONFIGDIR := $(CURDIR)/.cache/matplotlib

help: ## list what can be made
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.installed ## make the environment of the backend
label-studio: $(LS_VENV)/.installed ## make the environment of Label Studio, which is its own
label-studio-ml: $(ML_VENV)/.installed ## make an environment with the package label-studio-ml

$(VENV)/.installed: pyproject.toml
	@echo "Installing the backend: PyTorch is large, this takes some minutes"
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' \
		|| { echo "Python 3.11 or 3.12 is needed: make PYTHON=python3.12 ..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --editable '.[dev,demo]'
	@touch $@

$(LS_VENV)/.installed:
	@echo "Installing Label Studio $(LABEL_STUDIO_VERSION)"
	@test -x $(LS_VENV)/bin/python || $(PYTHON) -m venv $(LS_VENV)
	@$(LS_VENV)/bin/python -m pip install --quiet label-studio==$(LABEL_STUDIO_VERSION)
	@touch $@

# label-studio-ml 1.0.9 pins Flask 1.1.2; of ours, only what the web part needs
$(ML_VENV)/.installed:
	@echo "Installing label-studio-ml 1.0.9"
	@test -x $(ML_VENV)/bin/python || $(PYTHON) -m venv $(ML_VENV)
	@$(ML_VENV)/bin/python -m pip install --quiet label-studio-ml==1.0.9 'rq>=2.8,<3' redis httpx \
		numpy pydantic pydantic-settings python-dotenv defusedxml prometheus-client waitress \
		pytest pytest-timeout
	@$(ML_VENV)/bin/python -m pip install --quiet --no-deps --editable .
	@touch $@

demo: install label-studio ## a trial run with its own Label Studio, on real images
	@$(BIN)/autolabel demo

check: install ## lint, types, import arrows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports --no-cache

# Two files of tests at a time, the slow ones first: most of them wait for other programs
test: check label-studio label-studio-ml ## all checks and tests
	$(BIN)/python -m pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder

unit: install ## the pure tests, in seconds
	$(BIN)/python -m pytest tests/unit

bench: install label-studio ## measurements, printed as ratios
	$(BIN)/python -m tests.bench

clean: ## remove what was built, environments included
	rm -rf $(VENV) $(LS_VENV) $(ML_VENV) .cache .bench build dist *.egg-info

.PHONY: help install label-studio label-studio-ml demo check test unit bench clean
