# setup: system packages and .venv; quick when both are there. The other targets run it first.
SHELL := /bin/bash
.DEFAULT_GOAL := setup

PYTHON ?= $(shell /usr/bin/python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo /usr/bin/python3 || echo python3)
BIN := .venv/bin
# What an installation in .venv depends on: it is made again when any of these changes.
SOURCES := pyproject.toml packaging/build_hook.py koji_adjutant/__init__.py \
	$(wildcard koji_adjutant/container/runner/*.c koji_adjutant/container/runner/*.h)
STAMP := .venv/made-$(shell cat $(SOURCES) | sha256sum | cut -c1-12)
# Only directories that hold tests.
TESTS := $(foreach kind,unit golden hub conformance,\
	$(if $(wildcard tests/$(kind)/test_*.py tests/$(kind)/*/test_*.py),tests/$(kind)))
WORKERS ?= 2
PYTEST_ARGS ?=
SEEDS ?= $(shell seq 10)

# System packages besides the builder's own: who only looks at the demo gets no Kerberos server.
PACKAGES := tests
demo: PACKAGES :=

LAB ?=
HOST ?= builder2
RUNTIME ?= podman

.PHONY: setup system demo test lint man soak bench builder dist clean

setup: system $(STAMP)

system:
	@packaging/system-packages/install $(PACKAGES)

$(STAMP): | system
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	@rm -f .venv/made-*
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[test,lint,dist]'
	@touch $@

demo: setup
	@$(BIN)/python -m tests.demo.run

test: setup
	$(BIN)/python -m pytest -n $(WORKERS) $(PYTEST_ARGS) $(TESTS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Manual pages and completions below build/, and docs/commands.md: all made from the parsers of the command line.
man: setup
	$(BIN)/python -m koji_adjutant.cli.manual man build/man
	$(BIN)/python -m koji_adjutant.cli.manual completion build/completion
	$(BIN)/python -m koji_adjutant.cli.manual markdown > docs/commands.md

# Many seeds of faults, where CI has one: make soak SEEDS="$(seq 100)" PYTEST_ARGS='-k faulty-podman'
soak: setup
	@for seed in $(SEEDS); do echo "ADJUTANT_FAULT_SEED=$$seed"; \
		ADJUTANT_FAULT_SEED=$$seed $(BIN)/python -m pytest -q -n $(WORKERS) -k faulty $(PYTEST_ARGS) tests/conformance || exit 1; \
	done

bench: setup
	$(BIN)/python -m tests.bench
	$(BIN)/python -m tests.bench.page

# The daemon in the foreground, on a hub that a lab.json describes: make builder LAB=STATE/etc/lab.json HOST=builder2
builder: setup
	@test -n '$(LAB)' || { echo 'make builder: LAB=STATE/etc/lab.json is missing' >&2; exit 2; }
	@exec $(BIN)/python -m tests.support.builder --lab '$(LAB)' --host '$(HOST)' --runtime '$(RUNTIME)'

# sdist, wheel, wheels for an offline installation, source RPM, bills of materials: dist/
dist: setup
	@$(BIN)/python packaging/dist.py

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache build dist
