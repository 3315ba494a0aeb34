"""The least that the same telemetry can cost: recorded spans and points, emitted by hand.

With the bare SDK, or with ``opentelemetry-util-genai`` for the operations that the GenAI conventions define: what is
between the two is the price of that library, and what is above both is this library's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opentelemetry.context import attach, detach, get_current
from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.semconv._incubating.attributes.gen_ai_attributes import (
    GEN_AI_OPERATION_NAME,
    GEN_AI_PROVIDER_NAME,
    GEN_AI_REQUEST_MODEL,
    GEN_AI_RESPONSE_MODEL,
    GEN_AI_TOKEN_TYPE,
    GEN_AI_USAGE_INPUT_TOKENS,
    GEN_AI_USAGE_OUTPUT_TOKENS,
    GEN_AI_WORKFLOW_NAME,
)
from opentelemetry.trace import SpanKind, set_span_in_context
from opentelemetry.util.genai.handler import TelemetryHandler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from opentelemetry.context import Context
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider
    from opentelemetry.util.genai.invocation import InferenceInvocation, WorkflowInvocation

    from .recorded import Instrument, RecordedPoint, RecordedSpan

__all__ = ["Floor"]

_SET_BY_UTIL_GENAI = frozenset(
    {
        GEN_AI_OPERATION_NAME,
        GEN_AI_PROVIDER_NAME,
        GEN_AI_REQUEST_MODEL,
        GEN_AI_RESPONSE_MODEL,
        GEN_AI_USAGE_INPUT_TOKENS,
        GEN_AI_USAGE_OUTPUT_TOKENS,
        GEN_AI_WORKFLOW_NAME,
    }
)

_RECORDED_BY_UTIL_GENAI = frozenset(
    {"gen_ai.client.operation.duration", "gen_ai.client.token.usage", "gen_ai.invoke_workflow.duration"}
)


@dataclass(frozen=True, slots=True)
class _Point:
    record: Callable[[float, Any, Context], None]
    amount: float
    attributes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Span:
    name: str
    kind: SpanKind
    operation: str | None
    """Of the GenAI conventions, where util-genai is to make the span."""
    attributes: dict[str, Any]
    attributes_of_our_own: dict[str, Any]
    """Those that util-genai does not set by itself."""
    metric_attributes_of_our_own: dict[str, Any]
    """The same of the points that util-genai records."""
    points: tuple[_Point, ...]
    children: tuple[_Span, ...]


class Floor:
    """Emits what was recorded, with nothing around it that the SDK does not need."""

    def __init__(
        self,
        recorded: Iterable[RecordedSpan],
        tracer_provider: TracerProvider,
        meter_provider: MeterProvider,
        *,
        through_util_genai: bool,
    ) -> None:
        self._tracer = tracer_provider.get_tracer("benchmarks.floor")
        self._meter = meter_provider.get_meter("benchmarks.floor")
        self._handler = TelemetryHandler(tracer_provider, meter_provider, instrumentation_scope_name="benchmarks.floor")
        self._instruments: dict[Instrument, Callable[[float, Any, Context], None]] = {}
        self._roots = tuple(self._prepare(span, through_util_genai) for span in recorded)

    def replay(self) -> None:
        """Emit everything once, below the current span."""
        context = get_current()
        for root in self._roots:
            self._emit(root, context)

    def _emit(self, recorded: _Span, context: Context) -> None:
        if not is_instrumentation_enabled():
            for child in recorded.children:
                self._emit(child, context)
        elif recorded.operation is not None:
            self._emit_invocation(recorded, context)
        else:
            self._emit_span(recorded, context)

    def _emit_span(self, recorded: _Span, context: Context) -> None:
        span = self._tracer.start_span(recorded.name, context, recorded.kind)
        inside = set_span_in_context(span, context)
        token = attach(inside)
        for child in recorded.children:
            self._emit(child, inside)
        if span.is_recording():
            span.set_attributes(recorded.attributes)
        for point in recorded.points:
            point.record(point.amount, point.attributes, inside)
        span.end()
        detach(token)

    def _emit_invocation(self, recorded: _Span, context: Context) -> None:
        invocation = self._start_invocation(recorded, context)
        for child in recorded.children:
            self._emit(child, invocation.context)
        if invocation.span.is_recording():
            invocation.attributes.update(recorded.attributes_of_our_own)
        invocation.metric_attributes.update(recorded.metric_attributes_of_our_own)
        for point in recorded.points:
            point.record(point.amount, point.attributes, invocation.context)
        invocation.stop()

    def _start_invocation(self, recorded: _Span, context: Context) -> InferenceInvocation | WorkflowInvocation:
        attributes = recorded.attributes
        if recorded.operation == "invoke_workflow":
            return self._handler.workflow(attributes[GEN_AI_WORKFLOW_NAME], context=context)
        invocation = self._handler.inference(
            attributes[GEN_AI_PROVIDER_NAME],
            request_model=attributes[GEN_AI_REQUEST_MODEL],
            operation_name=recorded.operation,
            context=context,
        )
        invocation.response_model_name = attributes.get(GEN_AI_RESPONSE_MODEL)
        invocation.input_tokens = attributes.get(GEN_AI_USAGE_INPUT_TOKENS)
        invocation.output_tokens = attributes.get(GEN_AI_USAGE_OUTPUT_TOKENS)
        return invocation

    def _prepare(self, span: RecordedSpan, through_util_genai: bool) -> _Span:
        operation = span.attributes.get(GEN_AI_OPERATION_NAME) if through_util_genai else None
        points = (
            point for point in span.points if operation is None or point.instrument.name not in _RECORDED_BY_UTIL_GENAI
        )
        return _Span(
            span.name,
            span.kind,
            operation,
            span.attributes,
            {name: value for name, value in span.attributes.items() if name not in _SET_BY_UTIL_GENAI},
            {
                name: value
                for point in span.points
                if point.instrument.name in _RECORDED_BY_UTIL_GENAI
                for name, value in point.attributes.items()
                if name not in _SET_BY_UTIL_GENAI and name != GEN_AI_TOKEN_TYPE
            },
            tuple(map(self._point, points)),
            tuple(self._prepare(child, through_util_genai) for child in span.children),
        )

    def _point(self, point: RecordedPoint) -> _Point:
        instrument = point.instrument
        if instrument not in self._instruments:
            self._instruments[instrument] = self._create(instrument)
        return _Point(self._instruments[instrument], point.amount, point.attributes)

    def _create(self, instrument: Instrument) -> Callable[[float, Any, Context], None]:
        if instrument.kind == "counter":
            return self._meter.create_counter(instrument.name, instrument.unit, instrument.description).add
        return self._meter.create_histogram(
            instrument.name,
            instrument.unit,
            instrument.description,
            explicit_bucket_boundaries_advisory=instrument.boundaries,
        ).record
