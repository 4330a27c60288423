# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
# Each verb does the set-up it needs; a set-up that is up to date costs a fraction of a second.
SHELL := /bin/bash
PYTHON ?= python3
ENV := source tools/dev_env.sh &&

.PHONY: help setup demo test check format clean
help:
	@echo 'make setup   virtual environment, pinned wheels, rendering libraries, colcon build'
	@echo 'make demo    "touch the red cube": a sentence becomes a video plan becomes joint motion; writes demo.mp4'
	@echo 'make test    all tests (choose some with: make test TESTS="src/vera_core/test -k qos")'
	@echo 'make check   ruff and mypy'
	@echo 'make format  ruff format, and the fixes ruff can make by itself'
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

check:
	@$(PYTHON) tools/setup --quiet
	@$(ENV) ruff check . && ruff format --check . && mypy

format:
	@$(PYTHON) tools/setup --quiet
	@$(ENV) ruff check --fix . ; ruff format .

clean:
	rm -rf build install log .venv .setup .pytest_cache .mypy_cache .ruff_cache .hypothesis src/*/*.egg-info
