# Everything here needs git, make and Python >= 3.11 with venv. uv manages the rest; it is fetched where it is missing.

PYTHON ?= python3
UV     := $(or $(shell command -v uv 2>/dev/null),.uv/bin/uv)
BIN    := .venv/bin
SYNCED := .venv/.synced
DOTENV := $(if $(wildcard .env),--env-file .env)
SOURCES := libs services tools tests
# Five for two CPUs: calls in real time wait about as long as they compute. More only makes them late.
PROCESSES = $(shell $(BIN)/python -c 'import os; print(min(8, 5 * (os.cpu_count() or 1) // 2))')

# The services start many times in a test run; without it each of them would be compiled anew each time.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo up tap connect doctor test test-suite test-alone compose-test check fmt fuzz bench docs clean

help: ## what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

setup: $(SYNCED) ## install everything into .venv

demo: $(SYNCED) ## two whole calls on this machine, no keys; their recordings land in var/demo
	$(UV) run --no-sync $(DOTENV) voxbus demo $(ARGS)

up: $(SYNCED) ## NATS and all services on this machine, with the variables of .env; ctrl-C drains
	$(UV) run --no-sync $(DOTENV) voxbus up $(ARGS)

tap: $(SYNCED) ## the events of a call, live (ARGS=CallSid, or ARGS=--all)
	$(UV) run --no-sync $(DOTENV) voxbus tap $(ARGS)

connect: $(SYNCED) ## have your Twilio number call this machine (ARGS=+1...)
	$(UV) run --no-sync $(DOTENV) voxbus connect $(ARGS)

doctor: $(SYNCED) ## what is configured, and what is missing
	$(UV) run --no-sync $(DOTENV) voxbus doctor $(ARGS)

test: test-suite $(if $(ARGS),,test-alone) ## all tests, then each package alone (ARGS="tests/stt -k echo" for some)

test-suite: $(SYNCED)
	$(BIN)/pytest $(or $(ARGS),--numprocesses=$(PROCESSES) --no-loadscope-reorder)

test-alone: $(SYNCED) ## each package with nothing but the dependencies it declares
	UV="$(UV)" .ci/alone

compose-test: $(SYNCED) ## calls through containers, which are scaled, killed and replaced meanwhile; needs a Docker engine
	VOXBUS_COMPOSE_TEST=1 $(BIN)/pytest tests/compose -s --durations=0 $(ARGS)

check: $(SYNCED) ## format, lint, types, import contracts, generated documents, secrets, vulnerabilities: what CI runs first
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(SOURCES)
	$(BIN)/lint-imports
	$(BIN)/python -m voxbus.devkit.docs --check
	$(BIN)/python -m voxbus.devkit.audit --images

fmt: $(SYNCED) ## format, and mend what the linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

fuzz: $(SYNCED) ## nonsense for everything that reads what strangers write (ARGS=300: for so many seconds)
	$(BIN)/python -W ignore -m voxbus.devkit.fuzz $(ARGS)

bench: $(SYNCED) ## how fast the hot paths are here
	$(BIN)/python -m voxbus.devkit.bench $(ARGS)

docs: $(SYNCED) ## write what is made from the code: settings (.env.example too), events, metrics, rights, reports
	$(BIN)/python -m voxbus.devkit.docs

clean: ## remove everything that was made here
	rm -rf .venv .uv var .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(SYNCED): pyproject.toml uv.lock $(wildcard libs/*/pyproject.toml services/*/pyproject.toml tools/*/pyproject.toml) | $(filter .uv/%,$(UV))
	$(UV) sync --locked --compile-bytecode
	@touch $@

.uv/bin/uv:
	$(PYTHON) -m venv .uv
	.uv/bin/pip install --quiet --disable-pip-version-check 'uv>=0.9'
