"""Where a call broke: an ``exception`` event on the innermost span that an exception ended, once.

The conventions have log events beside it for operations of GenAI clients and for tools (their
``gen-ai-exceptions.md``); each exception has one, on its innermost operation of these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.semconv.attributes.exception_attributes import (
    EXCEPTION_MESSAGE,
    EXCEPTION_STACKTRACE,
    EXCEPTION_TYPE,
)
from opentelemetry.util.genai.invocation import (
    EmbeddingInvocation,
    GenAIInvocation,
    InferenceInvocation,
    RetrievalInvocation,
    ToolInvocation,
)
from opentelemetry.util.genai.utils import fq_exception_type

from . import semconv
from .context import call_in
from .errors import stack_text_of
from .passing_errors import PassingErrors
from .surroundings import surroundings_in

if TYPE_CHECKING:
    from opentelemetry._logs import Logger
    from opentelemetry.context import Context
    from opentelemetry.trace import Span

__all__ = ["emit_exception", "event_name_of", "follow_errors", "tell_exception", "tell_exceptions_to"]

SPAN_EVENT = "exception"

_told_to: list[Logger | None] = [None]


def tell_exceptions_to(logger: Logger | None) -> None:
    """Set who takes the log events from now on, ``None`` where stacks are not to be told at all."""
    _told_to[0] = logger


def follow_errors(span: Span, context: Context) -> None:
    """Let the record of a call whose span has begun tell its own exceptions from those of the calls inside it."""
    if _told_to[0] is not None and span.is_recording():
        call = call_in(context)
        call.errors = PassingErrors(call.errors)


def event_name_of(invocation: GenAIInvocation) -> str | None:
    """Return the log event that the conventions have for the exceptions of an operation."""
    if isinstance(invocation, ToolInvocation):
        return semconv.EVENT_GEN_AI_EXECUTE_TOOL_EXCEPTION
    if isinstance(invocation, (InferenceInvocation, EmbeddingInvocation, RetrievalInvocation)):
        return semconv.EVENT_GEN_AI_CLIENT_OPERATION_EXCEPTION
    return None


def tell_exception(
    error: BaseException, message: str, span: Span, context: Context, event_name: str | None = None
) -> LogRecord | None:
    """Add the event to a span that an exception ended, unless a span inside has it; return the log event to emit.

    ``message`` is what the status of the span tells of the exception.
    """
    errors = call_in(context).errors
    if errors is None or _told_to[0] is None or not span.is_recording():
        return None
    passage = errors.passage_of(error)
    is_logged = passage is not None and passage.is_logged
    errors.let_out(error, is_logged=is_logged or event_name is not None)
    wants_log = event_name is not None and not is_logged
    if passage is not None and not wants_log:
        return None
    attributes: dict[str, Any] = {EXCEPTION_TYPE: fq_exception_type(error)}
    if message:
        attributes[EXCEPTION_MESSAGE] = message
    stack = stack_text_of(error, surroundings_in(context))
    if stack:
        attributes[EXCEPTION_STACKTRACE] = stack
    if passage is None:
        span.add_event(SPAN_EVENT, attributes)
    if not wants_log:
        return None
    return LogRecord(
        event_name=event_name,
        context=context,
        severity_number=SeverityNumber.WARN,
        severity_text=SeverityNumber.WARN.name,
        attributes=attributes,
    )


def emit_exception(record: LogRecord | None) -> None:
    """Emit the log event of an exception, if there is one."""
    logger = _told_to[0]
    if record is not None and logger is not None:
        logger.emit(record)
