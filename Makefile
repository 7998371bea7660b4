# Every target does its own set-up; what it downloads is kept in ~/.cache/qflow (QFLOW_CACHE moves it).
SHELL := /bin/bash
PY := .venv/bin/python
.DEFAULT_GOAL := help
.PHONY: help demo test bench check unit docker attack faults cluster e2e reference format docs release setup engine images node console n8n browser postgres clean

help: ## Print this list
	@grep -E '^[a-z0-9]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

demo: setup ## Start runner and real n8n with the examples and run the quickstart (EXIT=1 ends there)
	@scripts/engine.sh || true  # without one the demo says what that means
	@$(PY) -m lab.demo $(if $(EXIT),--exit)

test: check unit docker attack faults cluster e2e ## Run every check and test, with real Docker, n8n and Chromium

bench: setup engine images n8n node ## Measure, and write build/bench.json
	@$(PY) -m tests.bench

check: setup node console ## Run linters, type checkers and the import contracts
	@$(PY) -m ruff check . && $(PY) -m ruff format --check .
	@.venv/bin/basedpyright
	@.venv/bin/lint-imports
	@.venv/bin/shellcheck -x scripts/*.sh .ci/run
	@scripts/node-package.sh lint
	@scripts/node-package.sh scan
	@scripts/console.sh check

unit: setup node ## Run the tests that need neither Docker nor n8n
	@scripts/postgres.sh || test -z "$$CI"  # without one its tests are skipped, which CI never allows
	@scripts/promtool.sh || test -z "$$CI"  # likewise
	@$(PY) -m pytest tests/unit tests/contract tests/deploy -m "not docker"
	@scripts/node-package.sh test
	@scripts/console.sh test

docker: setup engine images ## Run the tests that need Docker
	@$(PY) -m pytest tests/contract tests/docker tests/deploy -m docker

attack: setup engine images ## Attack a runner with real Docker, and write build/attack.json
	@$(PY) -m pytest tests/attack

faults: setup engine images ## Kill, stop and starve parts of a runner with real Docker (EXIT=1: end at the first failure)
	@$(PY) -m pytest $(if $(EXIT),-x) tests/faults

cluster: setup engine images ## Run a cluster of real processes, with Redis, PostgreSQL and Docker, and lose parts of it
	@scripts/redis.sh && scripts/postgres.sh
	@$(PY) -m pytest tests/cluster

e2e: setup engine images n8n node console browser ## Run the tests in real n8n and Chromium (N8N=x.y.z: in that version)
	@$(PY) -m pytest tests/e2e

reference: setup ## Write docs/reference from the code
	@$(PY) -m lab.reference

docs: setup ## Build the docs as a site, into build/site
	@$(PY) -m mkdocs build --quiet && echo "build/site/index.html"

release: setup ## Make what a release consists of, into build/release; publishes nothing (TAG=1 tags)
	@scripts/release.sh $(if $(TAG),--tag)

format: setup ## Format the Python code
	@$(PY) -m ruff format . && $(PY) -m ruff check --fix .

setup: ## Make .venv
	@scripts/python.sh

engine: ## Make a Docker daemon answer (installs and starts one on root Debian)
	@scripts/engine.sh

images: setup engine ## Build the sandbox images for every Python that this machine can provide
	@$(PY) -m qflow_runner images build

node: ## Build the n8n node package
	@scripts/node-package.sh

console: ## Build the runner's web pages
	@scripts/console.sh

n8n: ## Install the real n8n
	@scripts/n8n.sh

browser: ## Install Chromium
	@scripts/browser.sh

postgres: ## Install PostgreSQL
	@scripts/postgres.sh

clean: ## Remove what was built here
	@rm -rf build .venv n8n-nodes-qflow/dist n8n-nodes-qflow/node_modules runner/console/node_modules runner/qflow_runner/console
