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
LOWEST ?= .venv-lowest
PYTEST := python -m pytest -n $(WORKERS) --dist worksteal
# An x86-64 processor with AVX2 and no more. Every library is told in its own way, and numba twice:
# without the empty list of features it adds those of the machine to those of the name.
AVX2 := ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 \
	MKL_ENABLE_INSTRUCTIONS=AVX2 MKL_CBWR=AVX2 OPENBLAS_CORETYPE=Haswell \
	CT2_FORCE_CPU_ISA=AVX2 NUMBA_CPU_NAME=haswell NUMBA_CPU_FEATURES=

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev demo test test-avx2 test-lowest test-all lint types format check site clean

help: ## show this list
	@grep -hE '^[a-z0-9-]+:.*?## ' $(MAKEFILE_LIST) | awk -F':.*?## ' '{printf "  make %-11s %s\n", $$1, $$2}'

$(VENV)/.made:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) "$(TORCH)"
	touch $@

$(VENV)/.run: $(VENV)/.made pyproject.toml
	$(BIN)/python -m pip install --quiet -e '.[scienceworld,fast]'
	touch $@

$(VENV)/.dev: $(VENV)/.made pyproject.toml
	$(BIN)/python -m pip install --quiet -e '.[scienceworld,teacher,dev]'
	touch $(VENV)/.run $@

setup: $(VENV)/.run ## install subgoal into .venv

setup-dev: $(VENV)/.dev ## install subgoal and its test tools into .venv

demo: setup ## the main job on the real ScienceWorld: at most 15 minutes on 2 cores
	$(BIN)/subgoal run --config configs/demo.toml --run $(RUN)

test: setup-dev ## the fast tests: at most 4 minutes on 2 cores
	$(BIN)/$(PYTEST)

test-avx2: setup-dev ## the same, computed as on a processor with AVX2 alone (x86-64)
	$(AVX2) $(BIN)/$(PYTEST)

test-lowest: ## the same with the lowest versions that pyproject.toml allows, in .venv-lowest
	$(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet --upgrade uv
	VIRTUAL_ENV=$(LOWEST) $(LOWEST)/bin/uv pip install --resolution lowest-direct \
		$(if $(TORCH_INDEX),--index $(TORCH_INDEX) --index-strategy unsafe-best-match) \
		-e '.[scienceworld,teacher,data,dev]'
	$(LOWEST)/bin/$(PYTEST)

test-all: setup-dev ## all tests that need no GPU, the slow ones too
	$(BIN)/$(PYTEST) -m 'not gpu' --timeout 1800

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

site: setup-dev ## the docs site, into build/site; `.venv/bin/python -m zensical serve` shows it while you write
	$(BIN)/python -m zensical build --clean --strict

clean: ## remove the environment and caches; runs/ stays
	rm -rf $(VENV) $(LOWEST) .pytest_cache .ruff_cache .hypothesis .import_linter_cache
