"""The names that each release had, for the next ones to be held against: ``make release-names``.

``released_names.json`` has for each release its attributes, metrics and events with their type or unit, its options
with their default, and what the package exports. A name that is gone or different later stands in
``docs/upgrading.md``; ``tests/docs/test_upgrading.py`` makes sure.
"""

from __future__ import annotations

import json
from pathlib import Path

import opentelemetry.instrumentation.dspy as library

from .configuration_page import own_options
from .conventions import Conventions
from .semconv_names import Name, names

__all__ = ["RELEASED", "changed_since", "current", "keep", "released"]

RELEASED = Path(__file__).with_name("released_names.json")


def current() -> dict[str, str]:
    """Return the names that there are, each with its type, unit or default."""
    conventions = Conventions.read()
    of_conventions = {name: known["type"] for name, known in conventions.attributes.items()}
    of_conventions |= {
        f"metric {name}": f"{of['instrument']}, {of['unit']}" for name, of in conventions.metrics.items()
    }
    own = {called(name): name.kind for name in names() if not name.constant.startswith("EVENT_")}
    events = {name.value: "event" for name in names() if name.constant.startswith("EVENT_")}
    options = {name: f"default {default}" for name, (_, default, *_) in own_options().items()}
    exports = {f"{library.__name__}.{name}": "export" for name in library.__all__}
    return {**of_conventions, **dict.fromkeys(conventions.events, "event"), **own, **events, **options, **exports}


def called(name: Name) -> str:
    """Return what stands for a name: metrics may be called as an attribute is."""
    return f"metric {name.value}" if name.constant.startswith("METRIC_") else name.value


def released() -> dict[str, dict[str, str]]:
    """Return the names of each release, the oldest first."""
    known: dict[str, dict[str, str]] = json.loads(RELEASED.read_text(encoding="utf-8"))
    return known


def changed_since(then: dict[str, str], now: dict[str, str]) -> dict[str, str]:
    """Return the names that are gone or mean something else, each with what it was."""
    return {name: was for name, was in then.items() if now.get(name) != was}


def keep(version: str) -> None:
    """Add the names that there are as those of a release."""
    known = {**released(), version: current()}
    RELEASED.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
