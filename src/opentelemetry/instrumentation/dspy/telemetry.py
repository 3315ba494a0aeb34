"""What every recorder writes to: the tracer, the GenAI handler and DSPy's own metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from opentelemetry.semconv.schemas import Schemas
from opentelemetry.util.genai.handler import TelemetryHandler
from opentelemetry.util.genai.utils import get_content_capturing_mode

from .completion_hooks import completion_hook_of
from .config import METRIC_VALUES
from .content import Content
from .errors import ErrorTexts, tell_errors_by
from .event_severities import SeverityLogger
from .exception_events import tell_exceptions_to
from .given_providers import GivenMeter, OneOfEach, given_logger
from .labels.bounded_values import BoundedValues
from .labels.call_labels import CallLabels
from .metrics import Metrics
from .plain_operations import PlainOperations
from .redaction import Redaction
from .tracers import CallTracerProvider
from .version import __version__

if TYPE_CHECKING:
    from opentelemetry._logs import Logger, LoggerProvider
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.util.genai.completion_hook import CompletionHook

    from .config import Options
    from .labels.baggage import Baggage
    from .tracers import CallTracer

__all__ = ["Telemetry"]

SCOPE_NAME = "opentelemetry.instrumentation.dspy"

# The schema that util-genai names for the same scope; two would make two scopes of one library.
SCHEMA_URL = Schemas.V1_37_0.value


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Passed to every recorder; made once by ``DSPyInstrumentor.instrument``."""

    tracer: CallTracer
    logger: Logger
    handler: TelemetryHandler
    plain: PlainOperations | None
    """What makes the spans of operations without content, where util-genai need not."""
    metrics: Metrics
    content: Content
    labels: CallLabels
    """What metric points tell of where a call comes from."""
    options: Options

    @classmethod
    def create(
        cls,
        options: Options,
        *,
        redaction: Redaction | None = None,
        baggage: Baggage | None = None,
        tracer_provider: CallTracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        logger_provider: LoggerProvider | None = None,
        completion_hook: CompletionHook | None = None,
    ) -> Telemetry:
        """Create everything from the given providers, the global ones where there are none."""
        provider = CallTracerProvider() if tracer_provider is None else tracer_provider
        tracer = provider.get_tracer(SCOPE_NAME, __version__, SCHEMA_URL)
        meter = GivenMeter(meter_provider, SCOPE_NAME, __version__, SCHEMA_URL)
        logger = given_logger(logger_provider, SCOPE_NAME, __version__, SCHEMA_URL)
        given = OneOfEach(tracer, meter, SeverityLogger(logger, SCOPE_NAME))
        handler = TelemetryHandler(
            tracer_provider=given,
            meter_provider=given,
            logger_provider=given,
            completion_hook=completion_hook_of(completion_hook),
            instrumentation_scope_name=SCOPE_NAME,
            instrumentation_scope_version=__version__,
        )
        redaction = Redaction(options.redact, options.redact_name) if redaction is None else redaction
        captured = handler.should_capture_content()
        content = Content(options, captured=captured, mode=get_content_capturing_mode(), redaction=redaction)
        tell_errors_by(
            ErrorTexts(options.error_messages, content.stands_in_errors, redaction, options.content_max_length)
        )
        tell_exceptions_to(logger if options.stack_traces else None)
        return cls(
            tracer=tracer,
            logger=logger,
            handler=handler,
            plain=PlainOperations.of(tracer, handler),
            metrics=Metrics.create(meter),
            content=content,
            labels=CallLabels(BoundedValues(options.metric_values, METRIC_VALUES), baggage),
            options=options,
        )
