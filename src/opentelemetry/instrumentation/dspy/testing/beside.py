"""Providers for the time of a test, which the application's own processors hear as before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.sdk._logs import LoggerProvider as SDKLoggerProvider
from opentelemetry.sdk._logs import LogRecordProcessor
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace import TracerProvider as SDKTracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Decision, Sampler, SamplingResult
from opentelemetry.trace import TracerProvider

from ..console.tree import context_of
from ..instrument_calls import only_these_variables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.context import Context
    from opentelemetry.sdk._logs import ReadWriteLogRecord
    from opentelemetry.sdk.trace import ReadableSpan, Span
    from opentelemetry.trace import Link, SpanKind, Tracer, TraceState
    from opentelemetry.util.types import Attributes

__all__ = ["KeepingTracerProvider", "keeping_logger_provider"]


class KeepingTracerProvider(TracerProvider):
    """Gives out tracers of the SDK whose spans one processor takes, all of them, and the application's as before.

    ``beside`` is the provider that DSPy was instrumented with, if it was: its resource, ids and sampler are used, and
    what it samples goes to its processors too.
    """

    provider: SDKTracerProvider

    def __init__(self, processor: SpanProcessor, beside: Any = None) -> None:
        if isinstance(beside, KeepingTracerProvider):
            beside = beside.provider
        # Neither limits nor OTEL_SDK_DISABLED, which is often set where tests run, are those of the environment.
        with only_these_variables({}):
            self.provider = _provider_like(beside)
        if isinstance(beside, SDKTracerProvider) and not beside._disabled:
            self.provider.add_span_processor(_Passing(beside._active_span_processor))
        self.provider.add_span_processor(processor)

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes | None = None,
    ) -> Tracer:
        """Return a tracer of the SDK."""
        return self.provider.get_tracer(
            instrumenting_module_name, instrumenting_library_version, schema_url, attributes
        )


def keeping_logger_provider(processor: LogRecordProcessor, beside: Any = None) -> SDKLoggerProvider:
    """Return a provider whose events one processor takes, and the processors of the one ``beside`` it as before."""
    is_sdks = isinstance(beside, SDKLoggerProvider)
    with only_these_variables({}):
        provider = SDKLoggerProvider(resource=beside.resource if is_sdks else None, shutdown_on_exit=False)
    if isinstance(beside, SDKLoggerProvider) and not beside._disabled:
        provider.add_log_record_processor(_PassingEvents(beside._multi_log_record_processor))
    provider.add_log_record_processor(processor)
    return provider


def _provider_like(beside: Any) -> SDKTracerProvider:
    if not isinstance(beside, SDKTracerProvider):
        return SDKTracerProvider(sampler=ALWAYS_ON, shutdown_on_exit=False)
    return SDKTracerProvider(
        sampler=_KeepAll(beside.sampler),
        resource=beside.resource,
        id_generator=beside.id_generator,
        span_limits=beside._span_limits,
        shutdown_on_exit=False,
    )


class _KeepAll(Sampler):
    """Records what another sampler drops, without marking it as sampled: exporters leave it out."""

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Return what the other sampler says, with its attributes where it drops the span."""
        result = self._sampler.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)
        if result.decision is not Decision.DROP:
            return result
        return SamplingResult(Decision.RECORD_ONLY, attributes, result.trace_state)

    def get_description(self) -> str:
        """Return the name of the other sampler."""
        return self._sampler.get_description()


class _Passing(SpanProcessor):
    """Passes spans on that are sampled; it ends with the test, and what it passes to does not."""

    def __init__(self, processor: SpanProcessor) -> None:
        self._processor = processor

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        if context_of(span).trace_flags.sampled:
            self._processor.on_start(span, parent_context)

    def _on_ending(self, span: Span) -> None:
        if context_of(span).trace_flags.sampled:
            self._processor._on_ending(span)

    def on_end(self, span: ReadableSpan) -> None:
        if context_of(span).trace_flags.sampled:
            self._processor.on_end(span)


class _PassingEvents(LogRecordProcessor):
    """Passes events on; it ends with the test, and what it passes to does not."""

    def __init__(self, processor: LogRecordProcessor) -> None:
        self._processor = processor

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        self._processor.on_emit(log_record)

    def shutdown(self) -> None:
        """Do nothing: the processor is the application's."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._processor.force_flush(timeout_millis)
