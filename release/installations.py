"""The wheel in environments that hold nothing else: each extra, and a program that uses what it is for."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from .steps import BUILD, ROOT, FailedError, run

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DEVELOPERS", "USES", "Use", "environment", "install", "resolve", "use"]

PROGRAMS = Path(__file__).with_name("programs")
CONSTRAINTS = ROOT / "constraints" / "development.txt"

DEVELOPERS = ("bench", "compat", "dev", "docs", "release", "test")
"""Extras of the repository's own work: that they resolve is enough."""


@dataclass(frozen=True, slots=True)
class Use:
    """What is installed into one environment, and what is run there."""

    extras: tuple[str, ...]
    command: tuple[str, ...]
    """Run in the environment, first what it has as a command."""
    prints: str = ""
    """Must be in what it prints."""


USES: Mapping[str, Use] = {
    "nothing": Use((), ("python", "without_dspy.py"), "2 entry points"),
    "instruments": Use(("instruments",), ("python", "quiet.py"), "here"),
    "otlp": Use(("instruments", "otlp"), ("python", "spans.py"), "invoke_workflow Desk"),
    "console": Use(
        ("instruments", "otlp", "console"),
        (
            *("opentelemetry-instrument", "--traces_exporter", "dspy_console"),
            *("--metrics_exporter", "none", "--logs_exporter", "none", "python", "uninstrumented.py"),
        ),
        "Desk",
    ),
    "notebook": Use(("instruments", "notebook"), ("python", "notebook.py"), "Desk"),
    "pytest": Use(("instruments", "pytest"), ("pytest", "-q", "-p", "no:cacheprovider", "budget.py"), "1 passed"),
    "prices": Use(("instruments", "otlp", "prices"), ("python", "prices.py"), "genai-prices"),
}
"""By what is used; every extra that is for users stands in one of them."""


def install(wheel: Path, use: Use, name: str) -> Path:
    """Make an environment of the wheel and its extras, and return its folder."""
    folder = BUILD / "environments" / name
    run([_uv(), "venv", "--quiet", "--clear", "--python", sys.executable, folder])
    wanted = f"{wheel}[{','.join(use.extras)}]" if use.extras else str(wheel)
    install = ("pip", "install", "--quiet", "--python", folder / "bin" / "python", "--constraint", CONSTRAINTS)
    run([_uv(), *install, wanted])
    return folder


def use(folder: Path, use: Use) -> str:
    """Run what the environment is for, far from the repository, and return what it printed."""
    program, *arguments = use.command
    with TemporaryDirectory() as elsewhere:
        programs = shutil.copytree(PROGRAMS, Path(elsewhere) / "programs")
        printed = run([folder / "bin" / program, *arguments], cwd=programs, env=environment(folder))
    if use.prints not in printed:
        raise FailedError(f"{' '.join(use.command)} does not print {use.prints!r}:\n{printed}")
    return printed


def environment(folder: Path) -> dict[str, str]:
    """Return the variables that a program runs with: no settings of whoever checks."""
    return {
        "PATH": f"{folder / 'bin'}:/usr/bin:/bin",
        "HOME": str(folder),
        "DSPY_CACHEDIR": str(folder / "cache"),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "COLUMNS": "120",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def resolve(wheel: Path, extra: str) -> str:
    """Look for versions that go together for an extra; nothing is installed."""
    folder = BUILD / "environments" / "empty"
    if not folder.exists():
        run([_uv(), "venv", "--quiet", "--python", sys.executable, folder])
    asked = ("--dry-run", "--quiet", "--python", folder / "bin" / "python", "--constraint", CONSTRAINTS)
    run([_uv(), "pip", "install", *asked, f"{wheel}[{extra}]"])
    return "resolves"


def _uv() -> Path:
    return Path(sys.executable).with_name("uv")
