"""Names of attributes that an application may give to metric points and spans: those that are not taken already."""

from __future__ import annotations

import re

from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.semconv.attributes.server_attributes import SERVER_ADDRESS, SERVER_PORT

__all__ = ["MAX_NAMES", "is_set_by_us", "name_in_stores", "problem_in_stores"]

MAX_NAMES = 20
"""Names of the application's own that metric points may have; each multiplies the number of time series."""


def name_in_stores(name: str) -> str:
    """Return what Prometheus makes of a name: names that differ in other signs alone are one label there."""
    stored = _OTHER_SIGNS.sub("_", name)
    # What no label may begin with (otlptranslator, LabelNamer.Build).
    if stored[:1].isdigit():
        return f"key_{stored}"
    return f"key{stored}" if stored.startswith("_") else stored


_OTHER_SIGNS = re.compile("[^A-Za-z0-9]+")
"""Several in a row are one underscore, as OpenTelemetry's translation to Prometheus says."""
_BEGINNINGS = ("dspy_", "gen_ai_", "openinference_")
_NAMES = frozenset({name_in_stores(name) for name in (ERROR_TYPE, SERVER_ADDRESS, SERVER_PORT)})

_BEGINNINGS_OF_STORES = ("otel_scope_",)
_NAMES_OF_STORES = frozenset(
    {"instance", "job", "le", "service_instance_id", "service_name", "service_namespace"},
)
_NOTHING = name_in_stores("_")


def is_set_by_us(name: str) -> bool:
    """Return whether it is this library that sets attributes of that name, now or in a later version.

    So is a name that is the same label in a store: ``error_type`` would make a failure of every call there.
    """
    stored = name_in_stores(name)
    return stored.startswith(_BEGINNINGS) or stored in _NAMES


def problem_in_stores(name: str) -> str | None:
    """Return why a name cannot stand on metric points, as the end of a sentence about it; ``None`` where it can.

    A store writes its own value in the place of a value under such a name: points that differed in it alone become one
    series, which keeps one of them. Where nothing is left of a name, Prometheus refuses all that was sent with it.
    """
    stored = name_in_stores(name)
    if stored == _NOTHING:
        return "of which Prometheus leaves nothing, since its labels have the letters A to Z and digits alone"
    is_of_stores = stored in _NAMES_OF_STORES or stored.startswith(_BEGINNINGS_OF_STORES)
    return "which Prometheus sets itself" if is_of_stores or name.startswith("__") else None
