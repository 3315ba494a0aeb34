"""The matrix of DSPy versions: ``make compat``, or ``nox -s 'compat(dspy="3.2.1")'`` for one of them.

One environment for each version, one suite for all: ``tests/compat``. Which versions there are, and what each of them
lacks, stands in ``tests/compat/capabilities.py``.
"""

from __future__ import annotations

import runpy

import nox

VERSIONS = runpy.run_path("tests/compat/capabilities.py")["VERSIONS"]

nox.needs_version = ">=2024.10"
nox.options.default_venv_backend = "uv"
nox.options.error_on_missing_interpreters = True
nox.options.reuse_existing_virtualenvs = True


@nox.session(tags=["compat"])
@nox.parametrize("dspy", VERSIONS)
def compat(session: nox.Session, dspy: str) -> None:
    """Run what must hold on every DSPy on one of them."""
    # Newest LiteLLM on every version; its Responses API imports mcp, which older DSPy does not bring along.
    session.install("-e", ".[prices]", f"dspy=={dspy}", "mcp>=1", *_TEST_PACKAGES)
    session.run("pytest", "tests/compat", *session.posargs)


_TEST_PACKAGES = (
    "numpy>=1.26",
    "opentelemetry-sdk>=1.43,<2",
    "pytest>=8",
    "pytest-asyncio>=0.24",
    "pytest-timeout>=2",
)
