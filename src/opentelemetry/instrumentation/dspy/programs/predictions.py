"""Which span produced which prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..weak import WeakIdentityMap

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext

__all__ = ["remember_span", "span_context_of", "without_trace"]

_spans: WeakIdentityMap[SpanContext] = WeakIdentityMap()


def remember_span(result: object, span_context: SpanContext) -> None:
    """Note the span of the module call that returned this object; the outermost module to return it comes last."""
    if not span_context.is_valid or result is None:
        return
    _spans.set(result, span_context)
    if isinstance(result, tuple) and result:
        # Under trace capture, as in GEPA and the finetuning optimizers, a call returns its prediction and its trace.
        _spans.set(result[0], span_context)


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
    """Return the ``SpanContext`` of the module call that produced a prediction.

    Where several nested modules returned the same object it is the outermost one's: the call that the application
    made. ``None`` for what no instrumented module returned, and for copies and unpickled predictions.
    """
    return _spans.get(prediction)
