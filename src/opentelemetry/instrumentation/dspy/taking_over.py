"""DSPy instrumented in another way for a while, and then as it was: for tests and for notebooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import DSPyInstrumentor
from .instrument_calls import InstrumentCall, only_these_variables

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["call_in_force", "instrument_instead"]


def call_in_force() -> InstrumentCall | None:
    """Return what DSPy is instrumented with now, with the redaction that is in force; ``None`` where it is not."""
    instrumentor = DSPyInstrumentor()
    call, redaction = instrumentor._called_with, instrumentor._redaction
    if not instrumentor.is_instrumented_by_opentelemetry or call is None or redaction is None:
        return None
    # What opentelemetry-instrument has checked need not be checked again.
    arguments = {**call.arguments, "skip_dep_check": True}
    if redaction.function is not None:
        arguments["redact"] = redaction.function
    return InstrumentCall(arguments, call.variables)


def instrument_instead(arguments: Mapping[str, Any], variables: Mapping[str, str]) -> Callable[[], None]:
    """Instrument DSPy with these arguments and ``OTEL_*`` variables, and return what makes it as it was.

    Arguments that are not given are those that are in force. Raises ``RuntimeError`` where DSPy cannot be instrumented.
    """
    before = call_in_force()
    if before is not None:
        DSPyInstrumentor().uninstrument()

    def restore() -> None:
        # The program may have switched it off or on meanwhile.
        if DSPyInstrumentor().is_instrumented_by_opentelemetry:
            DSPyInstrumentor().uninstrument()
        if before is not None:
            _instrument(before.arguments, before.variables)

    try:
        _instrument({**(before.arguments if before is not None else {}), **arguments}, variables)
        if not DSPyInstrumentor().is_instrumented_by_opentelemetry:
            raise RuntimeError(_UNSUPPORTED)
    except BaseException:
        restore()
        raise
    return restore


_UNSUPPORTED = (
    "DSPy cannot be instrumented: it is not installed, or in a version that is not supported. The log names both. "
    'pip install "opentelemetry-instrumentation-dspy[instruments]" installs one that is.'
)


def _instrument(arguments: Mapping[str, Any], variables: Mapping[str, str]) -> None:
    with only_these_variables(variables):
        DSPyInstrumentor().instrument(**arguments)
