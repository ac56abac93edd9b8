# Everything one does with Persistent Session. `make up` and `make demo` are all that a user needs.
PYTHON ?= python3
BIN := .venv/bin
PREPARE := $(PYTHON) deploy/local/prepare.py
export PYTHONUNBUFFERED = 1

.PHONY: help up demo test test-fresh lint format bench soak docs requirements clean
.DEFAULT_GOAL := help

help: ## show this
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-13s %s\n", $$1, $$2 }'

up: ## set up what is missing, start the whole system, link with WhatsApp Web
	@$(PREPARE) run
	@exec $(BIN)/persistent-session up

demo: ## the same against a local stand-in with a virtual phone; no account needed
	@$(PREPARE) run
	@exec $(BIN)/persistent-session demo

test: ## set up, check the code and run every test (artefacts in test-artefacts/)
	@$(PREPARE) test
	@$(MAKE) --no-print-directory lint
	@exec $(BIN)/python tests/run_all.py

test-fresh: ## prove `make demo` and `make test` in a bare Debian, as root and without root (needs root, debootstrap)
	@exec $(PYTHON) tests/fresh/machine.py $(FRESH)

lint: ## format, lint, types, the direction of imports
	@$(PREPARE) test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: ## write the code in its one format
	@$(PREPARE) test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: ## measure speed and memory against the targets
	@$(PREPARE) test
	@exec $(BIN)/python -m tests.bench

soak: ## the long tests: hundreds of snapshots, the set-up in a fresh clone (make soak SOAK_MINUTES=15: a part)
	@$(PREPARE) test
	@exec $(BIN)/python tests/soak.py $(if $(SOAK_MINUTES),--minutes $(SOAK_MINUTES))

docs: ## write the generated documents again
	@$(PREPARE) test
	$(BIN)/python docs/generate.py

requirements: ## pin the newest versions that fit (make requirements UPGRADE=--upgrade)
	@$(PREPARE) run
	$(BIN)/python requirements/compile.py $(UPGRADE)

clean: ## remove what the set-up and the tests made; sessions, keys and backups stay
	rm -rf .venv node_modules test-artefacts .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
