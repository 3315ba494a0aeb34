"""The trace of an answer, drawn once more: ``show_trace``."""

from __future__ import annotations

import re
import sys
from typing import Final

from opentelemetry.trace import SpanContext

from .programs.predictions import span_context_of
from .reading import is_kind

__all__ = ["show_trace"]

_TRACE_ID: Final = re.compile("[0-9a-fA-F]{32}")

_NO_ORIGIN: Final = (
    "show_trace() does not know where this came from: no instrumented call returned it. A prediction that was made "
    "before DSPy was instrumented, that was pickled, or that is made of the fields of another is not known."
)
_NOT_SAMPLED: Final = "The trace {} was not sampled, so nothing of it was kept."
_NOT_KEPT: Final = (
    "The trace {} is not among those that are kept: the last 50 in notebooks and interactive Python, elsewhere as many "
    "as DSPyConsoleSpanExporter(kept_traces=…) says. A BatchSpanProcessor passes a trace on some seconds after its end."
)
_NO_CONSOLE: Final = (
    "Nobody keeps traces here. In a notebook, %load_ext opentelemetry.instrumentation.dspy shows and keeps them from "
    "then on; in a program, an SDK's provider with a DSPyConsoleSpanExporter does."
)


def show_trace(prediction: object, *, content: bool | None = None) -> None:
    """Draw the trace in which a prediction was made once more: in a notebook below the cell that runs, else as text.

    ``prediction`` is what the program returned or a copy of it, a ``SpanContext``, or a trace's id of 32 hexadecimal
    digits. The trace is drawn whole, as far as its spans have ended. ``content`` shows or leaves out what spans carry
    of prompts and replies; by default the exporter decides. Traces are kept by ``DSPyConsoleSpanExporter``, the last
    50 in notebooks and interactive Python; where this one is not known, a line says why.
    """
    trace_id, is_sampled = _trace_of(prediction)
    words = f"{trace_id:032x}"
    console = sys.modules.get(f"{__package__}.console.exporter")
    if console is None or not console.has_exporters():
        complaint = _NO_CONSOLE
    elif not trace_id:
        complaint = _NO_ORIGIN
    elif console.show_again(trace_id, content=content):
        return
    else:
        complaint = (_NOT_KEPT if is_sampled else _NOT_SAMPLED).format(words)
    sys.stdout.write(f"{complaint}\n")


def _trace_of(prediction: object) -> tuple[int, bool]:
    if is_kind(prediction, str) and isinstance(prediction, str) and _TRACE_ID.fullmatch(prediction):
        return int(prediction, 16), True
    if is_kind(prediction, SpanContext) and isinstance(prediction, SpanContext):
        span_context: SpanContext | None = prediction
    else:
        span_context = span_context_of(prediction)
    if span_context is None:
        return 0, False
    return span_context.trace_id, bool(span_context.trace_flags.sampled)
