"""``%load_ext opentelemetry.instrumentation.dspy``: each trace below its cell, from one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.trace import get_tracer_provider

from .instrument_calls import InstrumentCall
from .taking_over import call_in_force, instrument_instead

try:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    from .console.exporter import DSPyConsoleSpanExporter, show_running_calls
except ImportError as error:
    raise ImportError(
        "The traces of a notebook are made by the OpenTelemetry SDK, which is not installed: "
        '%pip install "opentelemetry-instrumentation-dspy[notebook]"'
    ) from error

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.sdk.trace import ReadableSpan

__all__ = ["load", "unload"]


class _Loaded:
    """What one ``%load_ext`` did, to be undone."""

    def __init__(self) -> None:
        self.undo: Callable[[], None] | None = None


_loaded = _Loaded()


class _Processor(SimpleSpanProcessor):
    """Hands each span on at once; it can be switched off, since a provider gives none of its processors back."""

    def __init__(self, exporter: DSPyConsoleSpanExporter) -> None:
        super().__init__(exporter)
        self._is_on = True

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span that has ended."""
        if self._is_on:
            super().on_end(span)

    def switch_off(self) -> None:
        """Take no more spans, and print what waits."""
        self._is_on = False
        self.span_exporter.force_flush()


def load(shell: Any) -> None:
    """Instrument DSPy, if it is not, and show each trace in IPython as soon as it has ended.

    The provider that DSPy is instrumented with, or the global one, hands the spans over if it is the SDK's; else there
    is one for this alone, and the global one stays as it is.
    """
    if _loaded.undo is not None:
        return
    processor = _Processor(DSPyConsoleSpanExporter())
    before = call_in_force()
    provider = (before.arguments.get("tracer_provider") if before is not None else None) or get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        provider = TracerProvider()
        make_as_before = instrument_instead({"tracer_provider": provider}, _variables(before))
    elif before is None:
        make_as_before = instrument_instead({}, _variables(before))
    else:
        make_as_before = _nothing
    provider.add_span_processor(processor)
    show_running_calls(provider)

    def undo() -> None:
        processor.switch_off()
        make_as_before()

    _loaded.undo = undo


def unload(shell: Any) -> None:
    """Show no more traces, and leave DSPy as it was before."""
    undo, _loaded.undo = _loaded.undo, None
    if undo is not None:
        undo()


def _variables(before: InstrumentCall | None) -> dict[str, str]:
    return dict(InstrumentCall.of({}).variables if before is None else before.variables)


def _nothing() -> None:
    """Leave DSPy instrumented: it was before."""
