"""The keyword arguments of ``DSPyInstrumentor.instrument``: those that there are, and of which type."""

from __future__ import annotations

import difflib
import os
from typing import TYPE_CHECKING, Any

from .language_models.own_prices import OwnPrices
from .propagation.hosts import hosts_of
from .reading import is_coroutine_function
from .redaction import takes_text_and_kind

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["check_arguments"]

_OWN = (
    "tracer_provider",
    "meter_provider",
    "logger_provider",
    "completion_hook",
    "redact",
    "openinference",
    "propagate",
    "prices",
)
_METHODS = {
    "tracer_provider": "get_tracer",
    "meter_provider": "get_meter",
    "logger_provider": "get_logger",
    "completion_hook": "on_completion",
}
"""What each argument that is an object must be able to do."""

_OF_BASE = ("skip_dep_check", "raise_exception_on_conflict")
"""Arguments of ``BaseInstrumentor.instrument``, which ``opentelemetry-instrument`` gives."""


def check_arguments(given: Mapping[str, Any]) -> None:
    """Raise ``TypeError`` for an argument that there is not, naming the nearest right one, and for a wrong type.

    ``ValueError`` for a file of prices that cannot be read or has something in it that is no price.

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
    if redact is not None and (not callable(redact) or is_coroutine_function(redact)):
        kind = "a coroutine function" if callable(redact) else type(redact).__name__
        raise TypeError(f"redact= takes a function of a text and its kind that returns a text, not {kind}.")
    if redact is not None and not takes_text_and_kind(redact):
        raise TypeError(
            "redact= takes a function of two arguments, a text and its kind (input, output, system, tool or error), "
            "that returns the text to record: def redact(text, kind)."
        )
    openinference = given.get("openinference")
    if openinference is not None and not isinstance(openinference, bool):
        raise TypeError(f"openinference= takes True or False, not {type(openinference).__name__}.")
    if (propagate := given.get("propagate")) is not None:
        _check_hosts(propagate)
    if (prices := given.get("prices")) is not None:
        _check_prices(prices)
    for name, method in _METHODS.items():
        value = given.get(name)
        if value is not None and not callable(getattr(value, method, None)):
            raise TypeError(f"{name}= takes an object with a method {method}, not {type(value).__name__}.")


def _check_hosts(propagate: Any) -> None:
    several = isinstance(propagate, (list, tuple, set, frozenset)) and all(isinstance(host, str) for host in propagate)
    if not (several or isinstance(propagate, (bool, str))):
        raise TypeError(f"propagate= takes host names, or True, not {type(propagate).__name__}.")
    _, wrong = hosts_of(propagate)
    if wrong:
        raise TypeError(f"propagate={wrong[0]}")


def _check_prices(prices: Any) -> None:
    if is_coroutine_function(prices):
        raise TypeError("prices= takes a function of a PricedCall that returns US dollars, not a coroutine function.")
    if not callable(prices) and not isinstance(prices, (str, os.PathLike)):
        raise TypeError(f"prices= takes a function of a PricedCall or the path of a file, not {type(prices).__name__}.")
    _, wrong = OwnPrices.read(prices)
    if wrong:
        raise ValueError(" ".join(wrong))
