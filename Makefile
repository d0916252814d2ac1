# Everything that is done often, one word each. On a fresh Debian or Ubuntu: as root.
.DEFAULT_GOAL := help
.PHONY: help demo test test-some chaos lint bench docs zipapp clean
.NOTPARALLEL:

python-in-venv := .venv/bin/python

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 16

demo: setup-lab ## two PCs with a Docker Engine each, in this machine: allocate, launch, a ROS message
	@$(python-in-venv) -m tests.lab.demo

test: setup-test ## all tests, the lab's included
	@scripts/test

test-some: setup-test ## some tests: ARGS="-k name"
	@$(python-in-venv) -m pytest $(ARGS)

chaos: setup-test ## everything fails in turn, while containers come and go: ARGS="--seconds 300 --seed 7"
	@$(python-in-venv) -m tests.chaos $(ARGS)

lint: setup-python ## style and types
	@.venv/bin/ruff check --quiet .
	@.venv/bin/ruff format --check --quiet .
	@.venv/bin/mypy

bench: setup-bench ## the figures, beside those of plain Docker in the same run
	@$(python-in-venv) -m bench

docs: setup-python ## the documentation, as pages for a browser
	@$(python-in-venv) -m sphinx -q -W docs docs/_build
	@echo "open docs/_build/index.html"

zipapp: setup-python ## dist/macvlan-ros.pyz: the whole command line in one file
	@scripts/zipapp

clean: ## removes what these commands made in this folder
	rm -rf .venv .lab build dist docs/_build .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# What the others need; quick when there is nothing to do.
setup-%:
	@PYTHON="$(PYTHON)" scripts/setup $*
