# Everything goes through these; CI calls the same.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test servers lint bench bench-quick docs clean

run: .venv/run  ## install, start the bundled local API, and deliver the sample records to it
	@$(BIN)/sendoff sandbox --sheet connectors.d/_samples/sheet.csv --fail "/v1/contacts 400 if email ~ @nowhere" --fail "slow 0.05 if always" -- $(BIN)/sendoff run; \
	  code=$$?; test $$code -le 1 || exit $$code

test: .venv/dev  ## every test
	$(BIN)/pytest

servers:  ## install the servers that the acceptance tests drive
	tests/acceptance/install.sh

lint: .venv/dev  ## style, types, and the direction of the arrows
	$(BIN)/ruff check core plugins tests docs
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench: .venv/dev  ## speed, beside that of others, as ratios in one run; writes docs/performance.md
	tests/bench/peers/install.sh
	$(BIN)/python -m tests.bench

bench-quick: .venv/dev  ## the same in two minutes, with the peers that are installed
	$(BIN)/python -m tests.bench --quick

docs: .venv/dev  ## write the generated reference anew
	$(BIN)/python docs/generate.py

clean:
	rm -rf .venv .sendoff build dist

.venv/run: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/dev: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@
