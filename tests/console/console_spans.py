"""Spans as the instrumentation makes them, with times, trace ids and span ids that are the same in each run."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import SpanContext, Status, StatusCode, Tracer

from opentelemetry import trace
from opentelemetry.instrumentation.dspy.console import DSPyConsoleSpanExporter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.context import Context
    from opentelemetry.util.types import AttributeValue

MILLISECOND = 1_000_000
START = 1_790_000_000_000_000_000


class CountingIds(IdGenerator):
    """Trace ids 1, 2, 3 … and span ids 1, 2, 3 …"""

    def __init__(self) -> None:
        self._traces = 0
        self._spans = 0

    def generate_trace_id(self) -> int:
        """Return the next trace id."""
        self._traces += 1
        return self._traces

    def generate_span_id(self) -> int:
        """Return the next span id."""
        self._spans += 1
        return self._spans


@dataclass(slots=True)
class Recorded:
    """A span to be recorded: its children run one after the other, and ``milliseconds`` are its own time on top."""

    name: str
    children: tuple[Recorded, ...] = ()
    milliseconds: float = 0
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)
    error: tuple[str, str] | None = None

    def record(self, tracer: Tracer, parent: Context | None = None, start: int = START) -> int:
        """Record the span and all below it; return its end, nanoseconds since the epoch."""
        span = tracer.start_span(self.name, context=parent, attributes=self.attributes, start_time=start)
        end = start + int(self.milliseconds * MILLISECOND)
        for child in self.children:
            end = child.record(tracer, trace.set_span_in_context(span), end)
        if self.error is not None:
            error_type, message = self.error
            span.set_attribute("error.type", error_type)
            span.set_status(Status(StatusCode.ERROR, message))
        span.end(end)
        return end


def chat(
    milliseconds: float = 10,
    tokens: tuple[int, int] | None = None,
    cost: float | None = None,
    *,
    error: tuple[str, str] | None = None,
    **attributes: AttributeValue,
) -> Recorded:
    """A language model call. Keyword arguments are attributes, with ``__`` for a dot."""
    values: dict[str, AttributeValue] = {"gen_ai.operation.name": "chat"}
    if tokens is not None:
        values["gen_ai.usage.input_tokens"], values["gen_ai.usage.output_tokens"] = tokens
    if cost is not None:
        values["gen_ai.usage.cost.amount"] = cost
    return Recorded("chat gpt-5-mini", (), milliseconds, values | _dotted(attributes), error)


def cached_chat(milliseconds: float = 0.3, saved_cost: float | None = None) -> Recorded:
    """A language model call that DSPy's cache answered."""
    saved: dict[str, Any] = {} if saved_cost is None else {"dspy__cache__saved_cost": saved_cost}
    return chat(milliseconds, dspy__cache__hit=True, **saved)


def span(
    name: str,
    *children: Recorded,
    milliseconds: float = 0,
    error: tuple[str, str] | None = None,
    **attributes: AttributeValue,
) -> Recorded:
    """Any other span. Keyword arguments are attributes, with ``__`` for a dot."""
    return Recorded(name, children, milliseconds, _dotted(attributes), error)


def usage(
    lm_calls: int, input_tokens: int = 0, output_tokens: int = 0, cost: float = 0.0, cost_unknown_calls: int = 0
) -> dict[str, Any]:
    """The roll-up of a module span, as keyword arguments for ``span``."""
    return {
        "dspy__usage__lm_calls": lm_calls,
        "dspy__usage__input_tokens": input_tokens,
        "dspy__usage__output_tokens": output_tokens,
        "dspy__usage__cost": cost,
        "dspy__usage__cost_unknown_calls": cost_unknown_calls,
    }


def tracer_for(exporter: DSPyConsoleSpanExporter) -> Tracer:
    """Return a tracer of the real SDK whose spans go to the exporter as soon as they end."""
    provider = TracerProvider(id_generator=CountingIds(), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider.get_tracer("opentelemetry.instrumentation.dspy")


def printed(*traces: Recorded, max_children: int = 12) -> str:
    """Return what the exporter prints of the traces into something that is no terminal."""
    out = io.StringIO()
    tracer = tracer_for(DSPyConsoleSpanExporter(out=out, max_children=max_children))
    for recorded in traces:
        recorded.record(tracer)
    return out.getvalue()


def remote_parent(trace_id: int, span_id: int) -> Context:
    """Return a context whose current span runs in another process."""
    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED)
    context = SpanContext(trace_id, span_id, is_remote=True, trace_flags=flags)
    return trace.set_span_in_context(trace.NonRecordingSpan(context))


def _dotted(attributes: Mapping[str, AttributeValue]) -> dict[str, AttributeValue]:
    return {name.replace("__", "."): value for name, value in attributes.items()}
