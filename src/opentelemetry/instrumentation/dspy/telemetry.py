"""What every recorder writes to: the tracer, the GenAI handler and DSPy's own metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opentelemetry._logs import get_logger
from opentelemetry.metrics import get_meter
from opentelemetry.semconv.schemas import Schemas
from opentelemetry.trace import get_tracer
from opentelemetry.util.genai.completion_hook import load_completion_hook
from opentelemetry.util.genai.handler import TelemetryHandler
from opentelemetry.util.genai.utils import get_content_capturing_mode

from . import semconv
from .content import Content
from .errors import ErrorTexts, tell_errors_by
from .event_severities import SeverityLoggers
from .exception_events import tell_exceptions_to
from .metrics import Metrics
from .redaction import Redaction
from .version import __version__

if TYPE_CHECKING:
    from opentelemetry._logs import Logger, LoggerProvider
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import Tracer, TracerProvider
    from opentelemetry.util.genai.completion_hook import CompletionHook

    from .config import Options
    from .usage import UsageScope

__all__ = ["Telemetry", "usage_attributes"]

SCOPE_NAME = "opentelemetry.instrumentation.dspy"

# The schema that util-genai names for the same scope; two would make two scopes of one library.
SCHEMA_URL = Schemas.V1_37_0.value


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Passed to every recorder; made once by ``DSPyInstrumentor.instrument``."""

    tracer: Tracer
    logger: Logger
    handler: TelemetryHandler
    metrics: Metrics
    content: Content
    options: Options

    @classmethod
    def create(
        cls,
        options: Options,
        *,
        redaction: Redaction | None = None,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        logger_provider: LoggerProvider | None = None,
        completion_hook: CompletionHook | None = None,
    ) -> Telemetry:
        """Create everything from the given providers, the global ones where there are none."""
        handler = TelemetryHandler(
            tracer_provider=tracer_provider,
            meter_provider=meter_provider,
            logger_provider=SeverityLoggers(logger_provider),
            completion_hook=completion_hook or load_completion_hook(),
            instrumentation_scope_name=SCOPE_NAME,
            instrumentation_scope_version=__version__,
        )
        redaction = Redaction(options.redact, options.redact_name) if redaction is None else redaction
        captured = handler.should_capture_content()
        content = Content(options, captured=captured, mode=get_content_capturing_mode(), redaction=redaction)
        tell_errors_by(
            ErrorTexts(options.error_messages, content.stands_in_errors, redaction, options.content_max_length)
        )
        logger = get_logger(SCOPE_NAME, __version__, logger_provider, SCHEMA_URL)
        tell_exceptions_to(logger if options.stack_traces else None)
        meter = get_meter(SCOPE_NAME, __version__, meter_provider, SCHEMA_URL)
        return cls(
            tracer=get_tracer(SCOPE_NAME, __version__, tracer_provider, SCHEMA_URL),
            logger=logger,
            handler=handler,
            metrics=Metrics.create(meter),
            content=content,
            options=options,
        )


def usage_attributes(scope: UsageScope) -> dict[str, Any]:
    """Return the roll-up of a scope as span attributes, none where no language model was called.

    There is no cost where no price at all is known: unknown is not zero.
    """
    usage = scope.total()
    if usage.lm_calls == 0:
        return {}
    cost = {} if usage.cost_unknown_calls and not usage.cost else {semconv.DSPY_USAGE_COST: usage.cost}
    return {
        semconv.DSPY_USAGE_LM_CALLS: usage.lm_calls,
        semconv.DSPY_USAGE_INPUT_TOKENS: usage.input_tokens,
        semconv.DSPY_USAGE_OUTPUT_TOKENS: usage.output_tokens,
        **cost,
        semconv.DSPY_USAGE_COST_UNKNOWN_CALLS: usage.cost_unknown_calls,
        semconv.DSPY_USAGE_CACHE_HITS: usage.cache_hits,
        semconv.DSPY_USAGE_SAVED_COST: usage.saved_cost,
    }
