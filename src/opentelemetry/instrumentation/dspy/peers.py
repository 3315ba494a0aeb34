"""Other instrumentations of DSPy beside this one."""

from __future__ import annotations

import logging
from importlib.metadata import EntryPoint, entry_points

__all__ = ["other_instrumentors", "warn_of_peers"]

_logger = logging.getLogger(__name__)

_GROUP = "opentelemetry_instrumentor"
_NAME = "dspy"
"""All instrumentations of DSPy register under this name, so ``opentelemetry-instrument`` starts every one of them."""

_OWN_MODULE = "opentelemetry.instrumentation.dspy"


def warn_of_peers() -> None:
    """Log one line if another instrumentation of DSPy is installed: with two, every call is counted twice."""
    others = sorted(other_instrumentors(_NAME))
    if others:
        _logger.warning(
            "DSPy can be instrumented by %s as well: where both are switched on, as opentelemetry-instrument does, "
            "spans, tokens and costs are recorded twice. Uninstall what you do not use.",
            " and ".join(others),
        )


def other_instrumentors(*names: str) -> dict[str, EntryPoint]:
    """Return the instrumentors that are registered under the names and are not this library's, by distribution."""
    points = [point for name in names for point in entry_points(group=_GROUP, name=name)]
    return {_distribution(point): point for point in points if _is_other(point)}


def _is_other(point: EntryPoint) -> bool:
    return point.module != _OWN_MODULE


def _distribution(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.module
