# Tonalist's commands. `make help` lists them.

# The first Python from 3.11 to 3.13 found; set PYTHON=/path/to/python to choose another.
PYTHON ?= $(shell for p in python3 python3.12 python3.13 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8000
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo serve worker test suite check bench messages lock clean audit

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/run.stamp  ## The whole loop on real photos, then serve it (Ctrl-C ends it)
	@$(BIN)/python manage.py demo $(ARGS)

# Each thread keeps a connection to the database; without a bound there are more than PostgreSQL lets in.
serve: $(VENV)/run.stamp  ## The site on http://127.0.0.1:8000 (PORT=…)
	@$(BIN)/python manage.py migrate --verbosity 0
	@$(BIN)/granian --interface wsgi --host 127.0.0.1 --port $(PORT) --workers 2 --blocking-threads 16 config.wsgi:application

worker: $(VENV)/run.stamp  ## The worker that renders, exports, trains and reports, and what is done by the clock
	@$(BIN)/python manage.py worker

test: check suite  ## All checks and tests, a real browser included

# Files go out in the order of tests/conftest.py, the longest first, not the one with the most tests.
suite: $(VENV)/dev.stamp
	@$(BIN)/python -m tests.chromium --install
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(VENV)/dev.stamp  ## Style, types, imports and migrations, without the tests
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy .
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python manage.py makemigrations --check --dry-run

bench: $(VENV)/dev.stamp  ## Measure ours beside a peer; the table is docs/benchmarks.md
	@$(BIN)/python -m bench --write-docs $(ARGS)

messages: $(VENV)/dev.stamp  ## Bring the catalogues in locale/ up to date with the texts (needs GNU gettext)
	@$(BIN)/python -m tests.catalogues --update

audit: $(VENV)/run.stamp  ## Whether the locked versions have known holes, by osv.dev
	@$(BIN)/pip install --quiet --target $(VENV)/audit pip-audit
	@PYTHONPATH=$(VENV)/audit $(BIN)/python -m pip_audit --strict --vulnerability-service osv \
		--requirement requirements.lock --no-deps --disable-pip --progress-spinner off

lock: $(VENV)/dev.stamp  ## Choose the exact versions in requirements.lock anew
	@$(BIN)/pip install --quiet uv
	@$(BIN)/uv pip compile --universal --python-version 3.11 --all-extras --upgrade \
		--no-header --no-annotate --output-file requirements.lock pyproject.toml

clean:  ## Remove the environment; data/ stays
	rm -rf $(VENV) *.egg-info

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed and none was found. Install one, or: make PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "No venv could be made (on Debian and Ubuntu: apt-get install python3-venv)."; exit 1; }

# The lock stands as a constraint, so that each target installs only what it needs, at exact versions.
$(VENV)/run.stamp: $(BIN)/python pyproject.toml requirements.lock
	@echo "Installing what the site and the learners need; the first time takes some minutes."
	@$(BIN)/pip install --quiet --constraint requirements.lock --editable ".[postgres]"
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp
	@echo "Installing what the tests need."
	@$(BIN)/pip install --quiet --constraint requirements.lock --editable ".[dev,diffusion,heic,postgres,sentry]"
	@touch $@
