"""Which span produced which prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from opentelemetry.trace import format_trace_id

from ..reading import is_kind
from ..weak import WeakIdentityMap

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext

__all__ = [
    "NONE_BESIDE",
    "Origin",
    "note_copy_of",
    "origin_of",
    "remember_span",
    "span_context_of",
    "trace_id_of",
    "without_trace",
]


NONE_BESIDE: Final[frozenset[str]] = frozenset()
"""Of most predictions, which may be kept for long: Python makes an empty set anew each time it is asked for one."""


class Origin(NamedTuple):
    """The call that a prediction came from."""

    span_context: SpanContext
    response_id: str | None = None
    """Of the one reply that the prediction is made of, where its span is none of a GenAI operation."""
    beside: frozenset[str] = NONE_BESIDE
    """Its fields that tell of the way to the answer, and are none of it."""


_origins: WeakIdentityMap[Origin] = WeakIdentityMap()


def remember_span(
    result: object, span_context: SpanContext, response_id: str | None = None, beside: frozenset[str] = NONE_BESIDE
) -> None:
    """Note the span of the module call that returned this object; the outermost module to return it comes last."""
    if not span_context.is_valid or result is None:
        return
    origin = Origin(span_context, response_id, beside)
    _origins.set(result, origin)
    if issubclass(type(result), tuple) and isinstance(result, tuple) and result:
        # Under trace capture, as in GEPA and the finetuning optimizers, a call returns its prediction and its trace.
        _origins.set(result[0], origin)


def note_copy_of(copied: object, prediction: object) -> None:
    """Note that an object is a copy of another: it came from the same call."""
    origin = _origins.get(prediction)
    if origin is not None and copied is not prediction:
        _origins.set(copied, origin)


def origin_of(prediction: object) -> Origin | None:
    """Return the call that a prediction, or what it is a copy of, came from."""
    return _origins.get(prediction)


def without_trace(result: Any) -> Any:
    """Return what a program answered: while an optimizer captures traces a call returns a pair with the trace."""
    if type(result) is not tuple or len(result) != 2 or type(result[1]) is not list:
        return result
    prediction, trace = result
    if trace:
        # Predictor, inputs and outputs (``settings.trace``).
        step = trace[0]
        is_trace = type(step) is tuple and len(step) == 3 and hasattr(type(step[0]), "named_predictors")
    else:
        is_trace = hasattr(type(prediction), "from_completions")
    return prediction if is_trace else result


def span_context_of(prediction: object) -> SpanContext | None:
    """Return the ``SpanContext`` of the module call that produced a prediction, or the one that it is a copy of.

    Where several nested modules returned the same object it is the outermost one's: the call that the application
    made. Copies are those of ``copy.copy``, ``copy.deepcopy``, ``prediction.copy()``, ``prediction.without()`` and
    ``Prediction(prediction)``. ``None`` for what no instrumented module returned, for what only has the same content
    (unpickled predictions, and predictions that are made of the fields of others), and for what ``copy`` copied in a
    way that its class has of its own. A ``SpanContext`` can be pickled beside its prediction.
    """
    origin = _origins.get(prediction)
    return None if origin is None else origin.span_context


def trace_id_of(prediction: object) -> str | None:
    """Return the id of the trace in which a prediction was made, 32 hexadecimal digits, as backends show it.

    ``None`` where ``span_context_of`` knows of no span, or of one whose id is no whole number.
    """
    origin = _origins.get(prediction)
    # A generator of ids may be the application's, and the SDK takes whatever it draws.
    if origin is None or not is_kind(origin.span_context.trace_id, int):
        return None
    return format_trace_id(origin.span_context.trace_id)
