# Two commands do it: `make run` and `make test`. Both set everything up in .venv first.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test setup lint types unit lock docs sample clean

run: setup
	$(BIN)/unveil run --sample

test: lint types unit

setup: .venv/.ready

.venv/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Unveil needs Python 3.11 or newer; name one with make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

unit: setup
	$(BIN)/pytest

# Needs uv (pip install uv). The lock holds versions and hashes and no index address.
lock:
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --extra dev \
		--python-version 3.11 pyproject.toml --output-file requirements.lock

docs: setup
	$(BIN)/python docs/generate.py

sample: setup
	$(BIN)/python data/sample/regenerate.py

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache
