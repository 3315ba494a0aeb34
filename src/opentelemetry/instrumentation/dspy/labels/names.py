"""Names of attributes that an application may give to metric points and spans: those that are not this library's."""

from __future__ import annotations

import re

from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.semconv.attributes.server_attributes import SERVER_ADDRESS, SERVER_PORT

__all__ = ["MAX_NAMES", "is_set_by_us", "name_in_stores"]

MAX_NAMES = 20
"""Names of the application's own that metric points may have; each multiplies the number of time series."""


def name_in_stores(name: str) -> str:
    """Return what Prometheus makes of a name: names that differ in other signs alone are one label there."""
    return _OTHER_SIGNS.sub("_", name)


_OTHER_SIGNS = re.compile("[^A-Za-z0-9_]")
_BEGINNINGS = ("dspy_", "gen_ai_", "openinference_")
_NAMES = frozenset({name_in_stores(name) for name in (ERROR_TYPE, SERVER_ADDRESS, SERVER_PORT)})


def is_set_by_us(name: str) -> bool:
    """Return whether it is this library that sets attributes of that name, now or in a later version.

    So is a name that is the same label in a store: ``error_type`` would make a failure of every call there.
    """
    stored = name_in_stores(name)
    return stored.startswith(_BEGINNINGS) or stored in _NAMES
