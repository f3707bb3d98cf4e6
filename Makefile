# `make help` lists what can be made.
SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# The torch to install. Where pip would fetch a CUDA build that is not wanted:
#   make demo TORCH_INDEX=https://download.pytorch.org/whl/cpu
TORCH ?= torch==2.13.0
TORCH_INDEX ?=
RUN ?= runs/demo
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev demo test test-all lint types format check clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*?## ' $(MAKEFILE_LIST) | awk -F':.*?## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(VENV)/.made:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) "$(TORCH)"
	touch $@

$(VENV)/.run: $(VENV)/.made pyproject.toml
	$(BIN)/python -m pip install --quiet -e '.[scienceworld]'
	touch $@

$(VENV)/.dev: $(VENV)/.made pyproject.toml
	$(BIN)/python -m pip install --quiet -e '.[scienceworld,teacher,dev]'
	touch $(VENV)/.run $@

setup: $(VENV)/.run ## install subgoal into .venv

setup-dev: $(VENV)/.dev ## install subgoal and its test tools into .venv

demo: setup ## the main job on the real ScienceWorld: at most 15 minutes on 2 cores
	$(BIN)/subgoal run --config configs/demo.toml --run $(RUN)

test: setup-dev ## the fast tests: at most 6 minutes on 2 cores
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

test-all: setup-dev ## all tests that need no GPU, the slow ones too
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m 'not gpu' --timeout 1800

lint: setup-dev ## ruff and the order of the rooms
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: setup-dev ## pyright
	$(BIN)/pyright

format: setup-dev ## let ruff put things in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check: lint types test ## what the gate runs

clean: ## remove the environment and caches; runs/ stays
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .import_linter_cache
