# Everything a newcomer needs: `make demo` to see it, `make test` to trust it.
.PHONY: help setup demo test check bench faults hammer histories tamper lock clean
.DEFAULT_GOAL := help

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' && echo $$p && break; done)
BIN := .venv/bin
STAMP := .venv/.complete

help:
	@echo "make demo      the whole platform and a half-year of partnership on this machine"
	@echo "make test      the whole suite, on real servers"
	@echo "make check     format, lint, types, import contracts, migrations, the contract with other programs"
	@echo "make bench     figures, as ratios within one run"
	@echo "make faults    kill -9 at random moments, fifty times; SEED=n replays a run"
	@echo "make hammer    100,000 attempts at what is withdrawn, through kills, pauses and cuts; SEED=n replays a run"
	@echo "make histories the policy against a slow reference, through 10,000 made-up histories; SEED=n replays a run"
	@echo "make tamper    1,000 tamperings with audit packs and logs, 1,000 judged histories; TRIALS=n, SEED=n from which seed"

setup: $(STAMP)

$(STAMP): requirements-dev.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed: install it, or say PYTHON=/path/to/python3"; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv || { rm -rf .venv; \
		echo "$(PYTHON) can't make a .venv: install its venv and pip (Debian: apt install python3-venv), then make again"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(STAMP)

demo: setup
	$(BIN)/samen demo

test: setup
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m deploy.lint_migrations
	$(BIN)/python -m deploy.contract check

bench: setup
	$(BIN)/python -m tests.bench

faults: setup
	$(BIN)/python -m tests.faults $(if $(SEED),--seed $(SEED))

hammer: setup
	$(BIN)/python -m tests.faults --attempts 100000 $(if $(SEED),--seed $(SEED))

histories: setup
	SAMEN_HISTORIES=$(or $(SAMEN_HISTORIES),10000) $(BIN)/python -m pytest tests/network/test_histories.py $(if $(SEED),--hypothesis-seed=$(SEED))

tamper: setup
	$(BIN)/python -m tests.audit.tampering $(or $(TRIALS),1000) $(or $(SEED),0)
	SAMEN_HISTORIES=$(or $(TRIALS),1000) SAMEN_HISTORIES_FROM=$(or $(SEED),0) $(BIN)/python -m pytest -q -s tests/audit/test_judge.py

# Needs uv; the files name no index, so that they install from any.
lock:
	uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--no-annotate --quiet --output-file requirements.txt
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header --no-annotate --quiet --constraint requirements.txt --output-file requirements-dev.txt

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist *.egg-info
