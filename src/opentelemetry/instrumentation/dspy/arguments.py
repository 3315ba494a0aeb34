"""The keyword arguments of ``DSPyInstrumentor.instrument``: those that there are, and of which type."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["check_arguments"]

_OWN = ("tracer_provider", "meter_provider", "logger_provider", "completion_hook", "redact")
_OF_BASE = ("skip_dep_check", "raise_exception_on_conflict")
"""Arguments of ``BaseInstrumentor.instrument``, which ``opentelemetry-instrument`` gives."""


def check_arguments(given: Mapping[str, Any]) -> None:
    """Raise ``TypeError`` for an argument that there is not, naming the nearest right one, and for a wrong type.

    A misspelt ``redact`` that was passed over would let everything through.
    """
    for name in given:
        if name not in _OWN and name not in _OF_BASE:
            close = difflib.get_close_matches(name, _OWN, n=1, cutoff=0.5)
            raise TypeError(
                f"DSPyInstrumentor.instrument() has no argument {name!r}."
                f"{f' Did you mean {close[0]!r}?' if close else ''} Its arguments: {', '.join(_OWN)}."
            )
    redact = given.get("redact")
    if redact is not None and not callable(redact):
        raise TypeError(
            f"redact= takes a function of a text and its kind that returns a text, not {type(redact).__name__}."
        )
