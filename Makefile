# Two commands for a new user: `make run` and `make test`. Everything is built in .venv from a lock; nothing outside this folder is touched.
PY := .venv/bin/python
PYTHONS := 3.11 3.12 3.13 3.14
export PYTHON
# An Airflow is many processes of the same modules: compiled once and kept, not anew by each.
unexport PYTHONDONTWRITEBYTECODE
.DEFAULT_GOAL := help
.PHONY: help setup running clustering run airflow cluster test test-matrix test-next lint types docs hooks stories simulate faults fuzz crash decisions secrets bench year results lock clean

help:  ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

run: running  ## last night's reports and a promotion, on stand-in vendors and an embedded Airflow (ONCE=1: stop when done; NIGHT=2026-11-01; PORT=8090)
	@exec $(PY) -m include.local $(if $(ONCE),--once) $(if $(NIGHT),--night "$(NIGHT)") $(if $(PORT),--port "$(PORT)")

airflow: running  ## a command of Airflow with the settings of `make run` (ARGS="backfill create --help")
	@exec $(PY) -m include.local.command $(ARGS)

cluster: clustering  ## the same mission on PostgreSQL, Redis, Celery, two schedulers, two triggerers and an S3 server, all processes of this machine (ONCE=1, NIGHT, PORT)
	@exec .venvs/cluster/bin/python -m include.local --cluster $(if $(ONCE),--once) $(if $(NIGHT),--night "$(NIGHT)") $(if $(PORT),--port "$(PORT)")

test: setup  ## all tests: those with an Airflow, and the fast ones beside them (ARGS: passed to pytest)
	@$(PY) -m tests $(ARGS)

test-matrix:  ## the fast tests on each Python of PYTHONS that is here, in environments of their own (ARGS: passed to pytest)
	@bin/test-matrix $(PYTHONS) -- $(ARGS)

test-next:  ## the fast tests and one whole mission on the newest beta of the next Airflow (ARGS: passed to pytest)
	@bin/test-next $(ARGS)

lint: setup  ## ruff: rules and format; the contracts of who imports whom; what is made from the models is as they are
	@$(PY) -m ruff check . && $(PY) -m ruff format --check . && PYTHONPATH=plugins:. .venv/bin/lint-imports --no-cache && $(PY) -m docs.reference --check

types: setup  ## mypy --strict
	@$(PY) -m mypy

docs: setup  ## the site, into site/, its reference pages and the schemas made from the models first
	@$(PY) -m docs.reference
	@test .venvs/docs/.built -nt requirements-docs.lock || { .venv/bin/uv venv -q --clear --python $(PY) .venvs/docs && .venv/bin/uv pip sync -q --python .venvs/docs/bin/python --require-hashes requirements-docs.lock && touch .venvs/docs/.built; }
	@NO_MKDOCS_2_WARNING=1 .venvs/docs/bin/mkdocs build --strict

hooks: setup  ## run the linters before each commit (pre-commit, with the tools of the lock)
	@$(PY) -m pre_commit install

stories: setup  ## promotions told from fresh seeds, with kills, clears and people, judged by the vendor's ledger (ARGS="--seed 7", "--minutes 5", "--mutants")
	@PYTHONPATH=plugins:. $(PY) -m tests.stories $(ARGS)

faults: setup  ## every fault of every stand-in against every operator and sensor (ARGS="--only FlexDeploy --verbose")
	@PYTHONPATH=plugins:. $(PY) -m tests.faults $(ARGS)

fuzz: setup  ## 100,000 made-up inputs for everything that reads what others wrote (ARGS="--seed 7 --count 20000 --only csv --jobs 4 --minutes 5", "--case FILE")
	@PYTHONPATH=plugins:. $(PY) -m tests.fuzz $(ARGS)

simulate: setup  ## universes from fresh seeds: the provider and its vendors in virtual time, on a network, a store and workers that fail (ARGS="--seed 7", "--minutes 5", "--mutants only")
	@PYTHONPATH=plugins:. $(PY) -m tests.simulation.world $(ARGS)

crash: clustering  ## processes and stores of a cluster killed, frozen and restarted at named points (ARGS="--seed 7 --count 20 --only task")
	@PYTHONPATH=plugins:. .venvs/cluster/bin/python -m tests.cluster $(ARGS)

decisions: setup  ## every situation, crash, answer and order of attempts of the decisions, enumerated; and what is wrong on purpose
	@PYTHONPATH=plugins:. $(PY) -m tests.simulation.exhausted

secrets: setup  ## the whole mission with canaries for secrets, and the search of all that it left (ARGS="--folder /tmp/left")
	@PYTHONPATH=plugins:. $(PY) -m tests.canaries $(ARGS)

bench: setup  ## side by side with peers (each in an environment of its own)
	@$(PY) -m benchmarks $(ARGS)

year: setup  ## 400 nights of 20 reports and 10 applications in about an hour: what the last cost beside the tenth, what is left behind (ARGS="--nights 100 --reports 5")
	@$(PY) -m benchmarks.year $(ARGS)

results: setup  ## benchmarks/RESULTS.md, from what the proofs have written
	@$(PY) -m benchmarks.proofs $(ARGS)

running:
	@bin/setup run

clustering: setup
	@$(PY) -m include.local.cluster.environment

setup:  ## build .venv for development (PYTHON=python3.13: with that interpreter)
	@bin/setup dev

lock: setup  ## resolve the locks anew from requirements*.txt
	@.venv/bin/uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-header --upgrade -o requirements-dev.lock requirements-dev.txt
	@.venv/bin/uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-header -c requirements-dev.lock -o requirements.lock requirements.txt
	@.venv/bin/uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-header -c requirements-dev.lock -o requirements-setup.lock requirements-setup.txt
	@.venv/bin/uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-header --upgrade -o requirements-docs.lock requirements-docs.txt
	@.venv/bin/uv pip compile -q --universal --generate-hashes --python-version 3.12 --no-header -c requirements-dev.lock $(addprefix --no-emit-package ,deprecated packaging pathspec pluggy typing-extensions wrapt) -o requirements-image.lock requirements-image.txt
	@.venv/bin/uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-header -c requirements-dev.lock $$(sed -n 's/^\([a-z0-9-]*\)==.*/--no-emit-package \1/p' requirements-dev.lock) -o requirements-cluster.lock requirements-cluster.txt

clean:  ## remove the environments, what was downloaded, the local Airflow and the local lake
	rm -rf .venv .venv.lock .venvs .local lake site .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis benchmarks/.venvs
