# The few commands people type. Each makes the Python environment first, where it is missing or out of date.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.NOTPARALLEL:
# Without bytecode on disk every process compiles thousands of modules again: `import mlflow` takes 3.2 s of CPU, not 1.4.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: help demo up down status test test-faults test-browser lint bench bench-gpu lock clean

SYSTEM_PYTHON := $(shell for name in python3 python3.11 python3.12 python; do $$name -c '' 2>/dev/null && echo $$name && break; done)
BOOTSTRAP = @$(or $(SYSTEM_PYTHON),$(error lmflow needs Python 3.11 or 3.12 and found none; install one and run make again)) lmflow/bootstrap.py
PYTHON := .venv/bin/python
# Of tests beside each other: 2 to 3 GB each.
WORKERS ?= 2
# A lint that has nothing to look at yet must not fail for it.
CODE := $(wildcard lmflow jobs dags docker tests benchmarks)

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: ## Run everything on the sample corpus: crawl, clean, embed, train, evaluate, promote
	$(BOOTSTRAP) --for demo
	@$(PYTHON) -m lmflow demo

up: ## Start Airflow, MLflow, the sample sites and the model page
	$(BOOTSTRAP) --for demo
	@$(PYTHON) -m lmflow up

down: ## Stop what `make up` or `make demo` started, and nothing else
	$(BOOTSTRAP) --for lint
	@$(PYTHON) -m lmflow down

status: ## Show what runs, where, and the logins
	$(BOOTSTRAP) --for lint
	@$(PYTHON) -m lmflow status

test: ## Run the tests (ARGS="tests/lake -k commit" for some of them, WORKERS=0 for one after another)
	$(BOOTSTRAP) --for test
	@$(PYTHON) -m pytest -m "not browser and not faults" -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

test-faults: ## Kill crawls again and again: what takes longer than a minute (about 8)
	$(BOOTSTRAP) --for test
	@$(PYTHON) -m pytest -m faults --timeout=1800 tests/faults tests/jobs $(ARGS)

test-browser: ## Drive a whole retraining in a real browser
	$(BOOTSTRAP) --for browser
	@$(PYTHON) -m pytest -m browser --timeout=1800 tests/browser $(ARGS)

lint: ## Check style, types and layers
	$(BOOTSTRAP) --for lint
	@$(PYTHON) -m ruff check $(CODE)
	@$(PYTHON) -m ruff format --check $(CODE)
	@$(PYTHON) -m mypy
	@.venv/bin/lint-imports

bench: ## Run the benchmarks against peers
	$(BOOTSTRAP) --for test
	@$(PYTHON) -m benchmarks $(ARGS)

bench-gpu: ## Measure training on a GPU (ARGS="folder of ptb.*.txt": then train the published presets)
	$(BOOTSTRAP) --for test
	@$(PYTHON) -m benchmarks.language_models.gpu $(ARGS)

lock: ## Resolve requirements.in into requirements.txt
	$(BOOTSTRAP) --for lint
	@.venv/bin/uv pip compile requirements.in --universal --python-version 3.11 --no-emit-index-url --no-emit-find-links -o requirements.txt

clean: ## Stop everything, then remove the environment and all state (the lake and the models too)
	@if [ -x $(PYTHON) ] && [ -e "$${LMFLOW_HOME:-.lmflow}/services.json" ]; then $(PYTHON) -m lmflow down; fi
	rm -rf .venv "$${LMFLOW_HOME:-.lmflow}" .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build
