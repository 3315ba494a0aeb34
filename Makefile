# Every target makes the virtual environment that it needs; nothing else has to be installed by hand.
PYTHON ?= python3
BIN := .venv/bin

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

.PHONY: test
test: $(BIN)/.dev ## run the tests
	$(BIN)/python -m pytest $(TESTS)

.PHONY: demo
demo: $(BIN)/.demo ## run an example program and see its traces in the terminal
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --requirement examples/support_desk/requirements.txt
	@$(BIN)/python examples/support_desk/run.py

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
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
