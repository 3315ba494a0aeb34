"""The bill of materials (CycloneDX) of an installation."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from .steps import ROOT, FailedError, run

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["write"]


def write(folder: Path, output: Path) -> str:
    """Write what an environment holds into a file, valid by CycloneDX' schema.

    Raises:
        FailedError: the file does not name this library, or what it needs.
    """
    command: list[str | Path] = [sys.executable, "-m", "cyclonedx_py", "environment", folder / "bin" / "python"]
    run([*command, "--pyproject", ROOT / "pyproject.toml", "--output-reproducible", "--output-file", output])
    bill = json.loads(output.read_text(encoding="utf-8"))
    names = {component["name"] for component in bill["components"]}
    missing = {"dspy", "opentelemetry-api", "opentelemetry-util-genai", "wrapt"} - names
    if missing or bill["metadata"]["component"]["name"] != "opentelemetry-instrumentation-dspy":
        raise FailedError(f"{output.name} lacks {', '.join(sorted(missing)) or 'the library itself'}")
    return f"{len(names)} components in {output.name}"
