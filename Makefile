# Everything here sets itself up: a Python and pip are all a machine needs.
#
#   make demo          see it work on real files
#   make test          all checks: lint, types, layers, tests on two Pythons, fuzzing, the wheel
#   make lint          lint, types and layers only
#   make format        rewrite the code in the house format
#   make fuzz          SECONDS=60 of each fuzz target, by atheris where it can be had; CPU_MINUTES=30: until each had that
#   make test-age      SECONDS=60 of repositories growing old, then the space after a year
#   make test-crash    kill and fail the program at every call it makes to the disk; takes long
#   make test-damage   change every byte of a repository, and damage it in every other way; takes long
#   make bench         the table against restic, BorgBackup and git; takes long
#   make bench-quick   the same on small data
#   make docs          write docs/cli.md anew from the program
#   make lock          resolve the dependencies anew; asks the package index
#   make clean         remove environments and caches

PYTHON ?= $(shell command -v python3 || command -v python)
VENV := .venv
BIN := $(VENV)/bin
SECONDS ?= 60

.PHONY: demo test test-age test-crash test-damage lint format fuzz bench bench-quick docs lock clean runtime dev

demo: runtime
	@PATH="$(CURDIR)/$(BIN):$$PATH" bash tools/demo.sh

test: dev
	@$(BIN)/python -m tools.check

lint: dev
	$(BIN)/python -m tools.check --only lint

format: dev
	$(BIN)/ruff check --fix-only --quiet
	$(BIN)/ruff format

test-crash: dev
	@$(BIN)/python -m tests.faults

test-damage: dev
	@$(BIN)/python -m tests.damage

fuzz: dev
	@"$(PYTHON)" tools/make_venv.py $(VENV) fuzz || echo "There is no atheris for this machine; the built-in engine fuzzes."
	$(BIN)/python -m fuzz.run --seconds $(SECONDS) $(if $(CPU_MINUTES),--cpu-minutes $(CPU_MINUTES))

test-age: dev
	$(BIN)/python -m tests.age --seconds $(SECONDS)

bench: dev
	$(BIN)/python -m benchmarks

bench-quick: dev
	$(BIN)/python -m benchmarks --quick

docs: dev
	$(BIN)/python -m tools.generate_cli_docs

lock: dev
	bash tools/lock.sh $(BIN)/python

clean:
	rm -rf .venv .venv-3.* build dist .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Both are quick when the stamp in the environment fits the locks.
runtime:
	@"$(PYTHON)" tools/make_venv.py $(VENV) runtime

dev:
	@"$(PYTHON)" tools/make_venv.py $(VENV) dev
