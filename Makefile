# Everything goes through these; CI calls the same.
PYTHON ?= python3
BIN := .venv/bin
MINUTES ?= 60

.PHONY: run site test servers lint bench bench-quick docs lock stress mutants clean

run: .venv/run  ## install, start the bundled local API, and deliver the sample records to it
	@$(BIN)/sendoff sandbox --stand-in google_sheets=connectors.d/_samples/sheet.csv --fail "/v1/contacts 400 if email ~ @nowhere" --fail "slow 0.05 if always" -- $(BIN)/sendoff run; \
	  code=$$?; test $$code -le 1 || exit $$code

test: .venv/dev  ## every test, as many at once as there are cores
	$(BIN)/pytest -n auto

servers:  ## install the servers that the acceptance tests drive
	tests/acceptance/install.sh

lint: .venv/dev  ## style, types, the direction of the arrows, weaknesses of the code and of what is used, and secrets left in a file
	$(BIN)/ruff check core plugins tests docs
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive core plugins
	$(BIN)/detect-secrets-hook $$(git ls-files ':!tests' ':!requirements-dev.lock')
	@# The passwords of tests are made up; what has the form of somebody's real key or token is found in them too.
	$(BIN)/detect-secrets-hook --disable-plugin BasicAuthDetector --disable-plugin KeywordDetector $$(git ls-files tests)
	$(BIN)/python -m tests.audit requirements-dev.lock
	@$(MAKE) --silent site

bench: .venv/dev  ## speed, beside that of others, as ratios in one run; writes docs/performance.md
	tests/bench/peers/install.sh
	$(BIN)/python -m tests.bench

bench-quick: .venv/dev  ## the same in two minutes, with the peers that are installed
	$(BIN)/python -m tests.bench --quick

docs: .venv/dev  ## write the generated pages anew
	$(BIN)/python docs/generate.py
	$(BIN)/python docs/pictures.py

lock: .venv/dev  ## choose the versions that development uses anew
	$(BIN)/pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --upgrade \
	  --extra all --group dev pyproject.toml --output-file requirements-dev.lock

stress: .venv/dev  ## every promise for MINUTES, and the table of what came of it; writes docs/guarantees.md and docs/faults.md
	$(BIN)/python -m tests.stress --minutes $(MINUTES)

mutants: .venv/dev  ## change the code in small ways, and see whether the tests notice
	$(BIN)/pip install --quiet --disable-pip-version-check 'mutmut>=3.8,<4'
	$(BIN)/python -m tests.mutants

site: .venv/dev  ## build the documentation as a site, into site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict >.site.log 2>&1 || { cat .site.log; exit 1; }

clean:
	rm -rf .venv .sendoff build dist site

.venv/run: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@touch $@

# The very versions, by their hashes; and then sendoff itself, without choosing any anew.
.venv/dev: pyproject.toml requirements-dev.lock
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@
