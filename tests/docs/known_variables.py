"""Environment variables that there are: a page that names another one has a typing error."""

from __future__ import annotations

import re
from importlib.metadata import distributions
from pathlib import Path

__all__ = ["OPENTELEMETRY_VARIABLES", "unknown_variables"]


def _opentelemetry_variables() -> frozenset[str]:
    """Return every variable that a package of OpenTelemetry which is installed here names in its source."""
    found: set[str] = set()
    for distribution in distributions():
        if not (distribution.name or "").startswith("opentelemetry-") or distribution.name.endswith("-dspy"):
            continue
        for file in distribution.files or ():
            if file.suffix == ".py":
                path = Path(str(distribution.locate_file(file)))
                found.update(re.findall(r"\bOTEL_[A-Z0-9_]*[A-Z0-9]", path.read_text(encoding="utf-8")))
    return frozenset(found)


FRAMEWORK = re.compile(r"OTEL_PYTHON_[A-Z]+_EXCLUDED_URLS")
"""The name of a web framework stands in the middle; ``opentelemetry.util.http`` makes the whole of it."""

OPENTELEMETRY_VARIABLES = _opentelemetry_variables()


def unknown_variables(text: str, own: set[str]) -> list[str]:
    """Return the variables with ``OTEL_`` in a text that neither OpenTelemetry nor this library knows."""
    called = {*re.findall(r"\bOTEL_[A-Z0-9_]*[A-Z0-9]\b(?![_*])", text)}
    return sorted(name for name in called - OPENTELEMETRY_VARIABLES - own if not FRAMEWORK.fullmatch(name))
