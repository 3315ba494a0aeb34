"""What every recorder writes to: the tracer, the GenAI handler and DSPy's own metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opentelemetry.metrics import get_meter
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.semconv.schemas import Schemas
from opentelemetry.trace import Status, StatusCode, get_tracer
from opentelemetry.util.genai.completion_hook import load_completion_hook
from opentelemetry.util.genai.handler import TelemetryHandler
from opentelemetry.util.genai.utils import fq_exception_type

from . import semconv
from .content import Content
from .version import __version__

if TYPE_CHECKING:
    from opentelemetry._logs import LoggerProvider
    from opentelemetry.metrics import Counter, Histogram, Meter, MeterProvider
    from opentelemetry.trace import Span, Tracer, TracerProvider
    from opentelemetry.util.genai.completion_hook import CompletionHook

    from .config import Options
    from .usage import UsageScope

__all__ = ["Metrics", "Telemetry", "mark_failed", "usage_attributes"]

SCOPE_NAME = "opentelemetry.instrumentation.dspy"

# The schema that util-genai names for the same scope; two would make two scopes of one library.
SCHEMA_URL = Schemas.V1_37_0.value

_DURATION_BUCKETS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
_COST_BUCKETS = (0.00001, 0.0001, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Metrics:
    """The instruments that util-genai does not have."""

    module_duration: Histogram
    operation_cost: Histogram
    cache_requests: Counter
    cache_saved_cost: Counter

    @classmethod
    def create(cls, meter: Meter) -> Metrics:
        """Create the instruments of one meter."""
        return cls(
            module_duration=meter.create_histogram(
                semconv.METRIC_DSPY_MODULE_DURATION,
                unit="s",
                description="Duration of DSPy module calls.",
                explicit_bucket_boundaries_advisory=_DURATION_BUCKETS,
            ),
            operation_cost=meter.create_histogram(
                semconv.METRIC_GEN_AI_CLIENT_OPERATION_COST,
                unit="{cost}",
                description="Cost of GenAI client operations.",
                explicit_bucket_boundaries_advisory=_COST_BUCKETS,
            ),
            cache_requests=meter.create_counter(
                semconv.METRIC_DSPY_CACHE_REQUESTS,
                unit="{request}",
                description="Language model calls by whether DSPy's cache answered them.",
            ),
            cache_saved_cost=meter.create_counter(
                semconv.METRIC_DSPY_CACHE_SAVED_COST,
                unit="{cost}",
                description="What the calls that DSPy's cache answered would have cost.",
            ),
        )


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Passed to every recorder; made once by ``DSPyInstrumentor.instrument``."""

    tracer: Tracer
    handler: TelemetryHandler
    metrics: Metrics
    content: Content
    options: Options

    @classmethod
    def create(
        cls,
        options: Options,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        logger_provider: LoggerProvider | None = None,
        completion_hook: CompletionHook | None = None,
    ) -> Telemetry:
        """Create everything from the given providers, the global ones where there are none."""
        handler = TelemetryHandler(
            tracer_provider=tracer_provider,
            meter_provider=meter_provider,
            logger_provider=logger_provider,
            completion_hook=completion_hook or load_completion_hook(),
            instrumentation_scope_name=SCOPE_NAME,
            instrumentation_scope_version=__version__,
        )
        meter = get_meter(SCOPE_NAME, __version__, meter_provider, SCHEMA_URL)
        return cls(
            tracer=get_tracer(SCOPE_NAME, __version__, tracer_provider, SCHEMA_URL),
            handler=handler,
            metrics=Metrics.create(meter),
            content=Content(options, captured=handler.should_capture_content()),
            options=options,
        )


def mark_failed(span: Span, error: BaseException) -> str:
    """Set the status and ``error.type`` of a span as util-genai does; return the error type."""
    error_type = fq_exception_type(error)
    if span.is_recording():
        span.set_status(Status(StatusCode.ERROR, str(error)))
        span.set_attribute(ERROR_TYPE, error_type)
    return error_type


def usage_attributes(scope: UsageScope) -> dict[str, Any]:
    """Return the roll-up of a scope as span attributes, none where no language model was called."""
    usage = scope.total()
    if usage.lm_calls == 0:
        return {}
    return {
        semconv.DSPY_USAGE_LM_CALLS: usage.lm_calls,
        semconv.DSPY_USAGE_INPUT_TOKENS: usage.input_tokens,
        semconv.DSPY_USAGE_OUTPUT_TOKENS: usage.output_tokens,
        semconv.DSPY_USAGE_COST: usage.cost,
        semconv.DSPY_USAGE_COST_UNKNOWN_CALLS: usage.cost_unknown_calls,
        semconv.DSPY_USAGE_CACHE_HITS: usage.cache_hits,
        semconv.DSPY_USAGE_SAVED_COST: usage.saved_cost,
    }
