# Two commands do everything: `make run` and `make test`. Both create .venv the first time.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Warnings are errors in the tests, so that an upstream release could break a newcomer's `make test`. These are the versions
# that were tested; `make CONSTRAINTS= test` takes the newest.
CONSTRAINTS ?= constraints.txt
INSTALL = $(BIN)/python -m pip install --quiet $(if $(CONSTRAINTS),--constraint $(CONSTRAINTS)) --editable

.PHONY: help run test slow times coverage browser lint types imports index atlas docs regenerate constraints clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.installed  ## train the quick suite and print the leaderboard
	$(BIN)/python -m bench run
	@echo "Next: . $(BIN)/activate; python -m bench recommend; or go on with docs/tutorials/first-run.md"

test: $(VENV)/.installed-dev  ## run the tests (two CPU cores, no network, no GPU)
	$(BIN)/python -m pytest --numprocesses=auto --dist=worksteal

slow: $(VENV)/.installed-dev  ## run the tests that train for longer
	$(BIN)/python -m pytest -m slow --timeout=1800 --numprocesses=auto --dist=worksteal

times: $(VENV)/.installed-dev  ## run the same tests, and say where their CPU time goes
	PYTHONPATH=tests/helpers $(BIN)/python -m pytest -p cpu_seconds --numprocesses=auto --dist=worksteal

coverage: $(VENV)/.installed-dev  ## run the same tests, list the lines that they do not reach, and hold them to the floor
	$(BIN)/python -m pytest --numprocesses=auto --dist=worksteal --cov

browser: $(VENV)/.installed-browser  ## look at the report in Chromium, where there is one
	$(BIN)/python -m pytest -m browser --numprocesses=auto --dist=worksteal

lint: $(VENV)/.installed-dev  ## check style, formatting and spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell

types: $(VENV)/.installed-dev  ## check types strictly
	$(BIN)/mypy

imports: $(VENV)/.installed-dev  ## check that imports go one way
	$(BIN)/lint-imports

index: $(VENV)/.installed  ## regenerate the lists that `bench` reads: methods, metrics, costs
	$(BIN)/python -m bench.index
	$(BIN)/python -m bench.metrics.registry
	$(BIN)/python -m bench.store.iteration_costs

atlas: $(VENV)/.installed  ## regenerate docs/atlas from the loss library
	$(BIN)/python -m bench atlas

docs: $(VENV)/.installed-docs  ## build the site into site/
	$(BIN)/python docs/building/site_readme.py
	$(BIN)/python docs/building/site_published.py
	$(BIN)/python docs/building/site_choices.py
	$(BIN)/python docs/building/site_answers.py
	$(BIN)/python docs/building/site_budgets.py
	$(BIN)/python docs/building/site_early.py
	$(BIN)/python docs/building/site_pairing.py
	$(BIN)/python docs/building/site_agreement.py
	$(BIN)/python docs/building/site_networks.py
	$(BIN)/python docs/building/site_transfer.py
	$(BIN)/python docs/building/site_settings.py
	$(BIN)/python docs/building/site_samples.py
	$(BIN)/python docs/building/site_campaigns.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "Open site/index.html"

regenerate: index atlas  ## after a new or changed loss: the lists, the atlas and the golden traces
	$(BIN)/python -m bench golden --output tests/golden/traces.json

constraints: $(VENV)/.installed-browser $(VENV)/.installed-docs  ## write constraints.txt from the versions that are installed
	$(BIN)/python -m pip freeze --exclude-editable | grep -viE '^(nvidia-|cuda-|triton=|pip=|setuptools=)' > constraints.txt

clean:  ## remove .venv and caches; results stay
	rm -rf $(VENV) site .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@df -Pk . | awk 'NR == 2 && $$4 < 10e6 { \
	  printf "Only %.1f GB of disk are free here. While pip installs torch and its CUDA libraries, it needs about 10;\n", $$4 / 1e6; \
	  print "README.md says how to do without them." }'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml $(CONSTRAINTS) | $(BIN)/python
	@echo "Installing into $(VENV) (torch is large: a few minutes the first time; less without a GPU, see README.md) ..."
	$(INSTALL) .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml $(CONSTRAINTS) | $(BIN)/python
	@echo "Installing into $(VENV) (torch is large: a few minutes the first time; less without a GPU, see README.md) ..."
	$(INSTALL) '.[dev]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-browser: pyproject.toml $(VENV)/.installed-dev
	$(INSTALL) '.[dev,browser]'
	@touch $@

$(VENV)/.installed-docs: pyproject.toml $(VENV)/.installed-dev
	$(INSTALL) '.[dev,docs]'
	@touch $@
