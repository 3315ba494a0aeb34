"""The options that are set, where they come from, and those that are misspelt."""

from __future__ import annotations

import contextlib
import difflib
import os
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from opentelemetry.environment_variables import OTEL_PROPAGATORS

from ..budgets.process import budget_in
from ..config import BAGGAGE, BAGGAGE_METRICS, OPTIONS, PREFIX, Options, console_shows
from .findings import Section

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .heard import HeardLog

__all__ = ["options_found"]

_GROUP = "opentelemetry_environment_variables"

_HIDDEN = ("HEADERS", "CERTIFICATE", "CLIENT_KEY")
"""Ends of names whose values are secrets, or say where those are."""


def options_found(variables: Mapping[str, str], heard: HeardLog) -> Section:
    """Return the options of this library, and those of OpenTelemetry that are set; ``variables`` are the program's."""
    section = Section("options", "Options")
    heard.take("opentelemetry.instrumentation.dspy.config")
    options = Options.read(environment=variables)
    console_shows(variables)
    budget_in(variables)
    wrong = heard.take("opentelemetry.instrumentation.dspy.config")
    for line in wrong:
        text, _, rest = line.partition(": it takes ")
        text, _, named = text.partition(" Did you mean ") if not rest else (text, "", "")
        remedy = f"It takes {rest}" if rest else f"Did you mean {named}" if named else "Correct it, or unset it."
        section.change("own", text.partition(" Its options: ")[0], remedy.partition(" Its options: ")[0])
    for name in OPTIONS:
        if variables.get(name, "").strip() and not any(line.startswith(f"{name}=") for line in wrong):
            section.ok(name, f"{name}={variables[name]}", {"value": variables[name], "source": "environment"})
    _add_baggage(section, options, variables)
    if not any(name.startswith(PREFIX) for name in variables):
        section.ok("own", f"{PREFIX}*: none is set, all have their defaults")
    for name, value in sorted(os.environ.items()):
        if name.startswith("OTEL_") and not name.startswith(PREFIX):
            _add(section, name, value, "environment" if name in variables else "distro")
    for name in sorted(variables):
        _add_misspelt(section, name)
    if "OTEL_SERVICE_NAME" not in variables and "service.name=" not in variables.get("OTEL_RESOURCE_ATTRIBUTES", ""):
        section.note(
            "OTEL_SERVICE_NAME",
            "OTEL_SERVICE_NAME is not set: backends show unknown_service, unless the program names its resource",
        )
    return section


def _add(section: Section, name: str, value: str, source: str) -> None:
    shown = "is set" if name.endswith(_HIDDEN) else f"= {value}"
    where = " (set by the distro)" if source == "distro" else ""
    section.ok(name, f"{name} {shown}{where}", {"value": shown.removeprefix("= "), "source": source})


def _add_baggage(section: Section, options: Options, variables: Mapping[str, str]) -> None:
    on_metrics = options.baggage_metrics
    on_spans = (*dict.fromkeys((*options.baggage, *on_metrics)),)
    if not on_spans:
        return
    metrics = f"{', '.join(on_metrics)} on metrics too" if on_metrics else "none on metrics"
    found = {"spans": [*on_spans], "metrics": [*on_metrics]}
    section.ok("baggage", f"entries of baggage: {', '.join(on_spans)} on spans, {metrics}", found)
    propagators = variables.get(OTEL_PROPAGATORS, "").strip()
    if propagators and "baggage" not in [name.strip() for name in propagators.split(",")]:
        section.change(
            "baggage",
            f"{OTEL_PROPAGATORS}={propagators} reads no baggage of other processes",
            f"Add baggage to it, or unset {BAGGAGE} and {BAGGAGE_METRICS}.",
            propagators,
        )


def _add_misspelt(section: Section, name: str) -> None:
    known = _known_names()
    if not name.startswith(("OTEL_", "OTLP_")) or name.startswith(PREFIX) or name in known:
        return
    # Instrumentations and distros have options of their own, which are registered nowhere.
    is_of_others = name.startswith("OTEL_PYTHON_") or "INSTRUMENTATION" in name
    cutoff = 0.95 if is_of_others else 0.85
    close = difflib.get_close_matches(name, sorted(known), n=1, cutoff=cutoff)
    if close:
        section.change("misspelt", f"{name} is no option of OpenTelemetry", f"Did you mean {close[0]}?", name)


def _known_names() -> frozenset[str]:
    known: set[str] = set()
    for point in entry_points(group=_GROUP):
        with contextlib.suppress(ImportError):
            known.update(name for name in vars(point.load()).values() if isinstance(name, str) and name[:5] == "OTEL_")
    return frozenset(known)
