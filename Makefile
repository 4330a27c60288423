# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
# Each verb does the set-up it needs; a set-up that is up to date costs a fraction of a second.
SHELL := /bin/bash
PYTHON ?= python3
ENV := source tools/dev_env.sh &&

.PHONY: help setup demo test nightly check format docs clean
help:
	@echo 'make setup   virtual environment, pinned wheels, rendering libraries, colcon build'
	@echo 'make demo    "touch the red cube", "push the green cube to the left": sentences become video plans become joint motion; writes demo.mp4'
	@echo 'make test    all tests (choose some with: make test TESTS="src/vera_core/test -k qos")'
	@echo 'make nightly ten minutes of the whole stack with stops, and malformed messages into every node; about half an hour'
	@echo 'make check   ruff and mypy'
	@echo 'make format  ruff format, and the fixes ruff can make by itself'
	@echo 'make docs    the pages in docs/ as a site, in build/site'
	@echo 'make clean   remove everything the set-up made'

setup:
	@$(PYTHON) tools/setup

demo:
	@$(PYTHON) tools/setup --quiet --need-render
	@$(ENV) vera demo

TESTS ?=
test:
	@$(PYTHON) tools/setup --quiet --need-render
	@$(ENV) python -m pytest $(TESTS)

# Reports are written to build/nightly.
nightly:
	@$(PYTHON) tools/setup --quiet --need-render
	@mkdir -p build/nightly
	@$(ENV) python benchmarks/soak.py --minutes 10 --json build/nightly/soak.json
	@$(ENV) python benchmarks/fuzz_nodes.py --messages 1000 --json build/nightly/fuzz_nodes.json

check:
	@$(PYTHON) tools/setup --quiet
	@$(ENV) ruff check . && ruff format --check . && mypy

format:
	@$(PYTHON) tools/setup --quiet
	@$(ENV) ruff check --fix . ; ruff format .

# mkdocs lives in an environment of its own.
docs:
	@test -x .setup/docs/bin/mkdocs || $(PYTHON) -m venv .setup/docs
	@.setup/docs/bin/pip install --quiet --disable-pip-version-check -r tools/requirements-docs.txt
	@.setup/docs/bin/mkdocs build --strict --quiet && echo 'open build/site/index.html'

clean:
	rm -rf build install log .venv .setup .pytest_cache .mypy_cache .ruff_cache .hypothesis src/*/*.egg-info
