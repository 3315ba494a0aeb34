"""Whether calls are recorded: by whoever switched the instrumentation on, and by whoever suppresses it in a context."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY as SUPPRESSED

if TYPE_CHECKING:
    from opentelemetry.context import Context

__all__ = ["SUPPRESSED", "SUPPRESSED_PLAIN", "Switch", "is_suppressed_in"]

SUPPRESSED_PLAIN = "suppress_instrumentation"
"""With ``SUPPRESSED``, the keys that OpenTelemetry's ``is_instrumentation_enabled`` looks for. Few Contexts have one of
them, and who sees neither need not ask."""


@dataclass(slots=True)
class Switch:
    """Whether calls are recorded; wrappers that could not be taken out look here."""

    on: bool = False


def is_suppressed_in(context: Context) -> bool:
    """Return whether instrumentation is suppressed in a Context, as ``is_instrumentation_enabled`` finds it."""
    return bool(context.get(SUPPRESSED) or context.get(SUPPRESSED_PLAIN))
