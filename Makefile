# Two commands for a new user: `make run` and `make test`. Everything is built in .venv from the lock; nothing outside this folder is touched.
PY := .venv/bin/python
.DEFAULT_GOAL := help
.PHONY: help setup run test lint types bench lock clean

help:  ## what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/'

setup:  ## build .venv from the lock
	@PYTHON="$(PYTHON)" bin/setup

run: setup  ## last night's reports and a promotion, on stand-in vendors and an embedded Airflow (ONCE=1: stop when done)
	@exec $(PY) -m include.local $(if $(ONCE),--once) $(if $(NIGHT),--night $(NIGHT)) $(if $(PORT),--port $(PORT))

test: setup  ## all tests, fast ones first (ARGS: passed to pytest)
	@$(PY) -m pytest -m "not airflow" -n 3 --dist loadfile $(ARGS)
	@$(PY) -m pytest -m airflow $(ARGS)

lint: setup  ## ruff: rules and format; the contracts of who imports whom
	@$(PY) -m ruff check . && $(PY) -m ruff format --check . && PYTHONPATH=plugins:. .venv/bin/lint-imports --no-cache

types: setup  ## mypy --strict
	@$(PY) -m mypy

bench: setup  ## side by side with peers (each in an environment of its own)
	@$(PY) -m benchmarks $(ARGS)

lock: setup  ## resolve the locks anew from requirements*.txt
	@.venv/bin/uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-header --upgrade -o requirements-dev.lock requirements-dev.txt
	@.venv/bin/uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-header -c requirements-dev.lock -o requirements.lock requirements.txt
	@.venv/bin/uv pip compile -q --universal --generate-hashes --python-version 3.12 --no-header -c requirements-dev.lock $(addprefix --no-emit-package ,deprecated packaging pathspec pluggy typing-extensions wrapt) -o requirements-image.lock requirements-image.txt

clean:  ## remove the environment, the local Airflow and the local lake
	rm -rf .venv .local lake .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis benchmarks/.venvs
