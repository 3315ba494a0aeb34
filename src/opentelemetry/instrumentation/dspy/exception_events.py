"""Where a call broke: an ``exception`` event on the innermost span that an exception ended, once.

The conventions have log events beside it for operations of GenAI clients and for tools (their
``gen-ai-exceptions.md``); each exception has one, on its innermost operation of these. Logs are sampled by nobody, so
that one is there also where the span is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opentelemetry._logs import LogRecord, NoOpLogger, SeverityNumber
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
from .errors import is_told_alike, message_of, stack_text_of
from .log_events import emit_event
from .passing_errors import let_out, passage_in
from .slots import Slot
from .surroundings import surroundings_in

if TYPE_CHECKING:
    from opentelemetry._logs import Logger
    from opentelemetry.context import Context
    from opentelemetry.trace import Span

    from .context import Call
    from .errors import Place

__all__ = ["UNTOLD", "emit_exception", "event_name_of", "follow_errors", "tell_exception", "tell_exceptions_to"]

SPAN_EVENT = "exception"

UNTOLD: Final = Slot[bool]("untold")
"""Whether nothing is told of a call but sums, as of the examples of an optimizer that are not to be traced."""

_EVENT_NAMES: Final[dict[type[GenAIInvocation], str]] = {
    ToolInvocation: semconv.EVENT_GEN_AI_EXECUTE_TOOL_EXCEPTION,
    InferenceInvocation: semconv.EVENT_GEN_AI_CLIENT_OPERATION_EXCEPTION,
    EmbeddingInvocation: semconv.EVENT_GEN_AI_CLIENT_OPERATION_EXCEPTION,
    RetrievalInvocation: semconv.EVENT_GEN_AI_CLIENT_OPERATION_EXCEPTION,
}

_told_to: list[Logger | None] = [None]


def tell_exceptions_to(logger: Logger | None) -> None:
    """Set who takes the log events from now on, ``None`` where stacks are not to be told at all."""
    _told_to[0] = logger


def follow_errors(call: Call, span: Span, event_name: str | None = None) -> None:
    """Let a call that has begun tell its own exceptions from those of the calls inside it.

    It has to where its span records, or where it is an operation that has a log event.
    """
    if _told_to[0] is not None and (event_name is not None or span.is_recording()):
        call.tells_errors = True


def event_name_of(invocation: GenAIInvocation) -> str | None:
    """Return the log event that the conventions have for the exceptions of an operation."""
    return _EVENT_NAMES.get(type(invocation))


def tell_exception(
    error: BaseException,
    message: str,
    span: Span,
    context: Context,
    event_name: str | None = None,
    place: Place = "span",
) -> LogRecord | None:
    """Add the event to a span that an exception ended, unless a span inside has it; return the log event to emit.

    ``message`` is what the status of the span tells of the exception, ``place`` which kind of span it is; a span that
    does not record has no message.
    """
    call, is_recording = call_in(context), span.is_recording()
    if not call.tells_errors or _told_to[0] is None or not (is_recording or event_name is not None):
        return None
    passage = passage_in(call, error)
    is_on_span, is_logged = (False, False) if passage is None else (passage.is_on_span, passage.is_logged)
    let_out(call, error, is_on_span=is_on_span or is_recording, is_logged=is_logged or event_name is not None)
    wants_event = is_recording and not is_on_span
    wants_log = event_name is not None and not is_logged and (is_recording or _somebody_takes(event_name, context))
    if not (wants_event or wants_log):
        return None
    attributes: dict[str, Any] = {}
    if wants_event:
        attributes = _attributes(error, message, context, place)
        span.add_event(SPAN_EVENT, attributes)
    if not wants_log:
        return None
    if not attributes or not is_told_alike(place, "event"):
        attributes = _attributes(error, message_of(error, surroundings_in(context), "event"), context, "event")
    return LogRecord(
        event_name=event_name,
        context=context,
        severity_number=SeverityNumber.WARN,
        severity_text=SeverityNumber.WARN.name,
        attributes=attributes,
    )


def _somebody_takes(event_name: str | None, context: Context) -> bool:
    """Return whether a log event of a call without a span reaches anybody."""
    if UNTOLD.of(call_in(context)):
        return False
    logger = _told_to[0]
    enabled = getattr(logger, "enabled", None)
    if enabled is None:
        # Loggers can be asked since a later API than the lowest that is supported.
        return not isinstance(getattr(logger, "_logger", logger), NoOpLogger)
    try:
        return bool(enabled(context=context, severity_number=SeverityNumber.WARN, event_name=event_name))
    except Exception:  # noqa: BLE001 - of the application's logger provider; what it cannot say keeps nothing from it
        return True


def _attributes(error: BaseException, message: str, context: Context, place: Place) -> dict[str, Any]:
    attributes: dict[str, Any] = {EXCEPTION_TYPE: fq_exception_type(error)}
    if message:
        attributes[EXCEPTION_MESSAGE] = message
    stack = stack_text_of(error, surroundings_in(context), place)
    if stack:
        attributes[EXCEPTION_STACKTRACE] = stack
    return attributes


def emit_exception(record: LogRecord | None) -> None:
    """Emit the log event of an exception, if there is one."""
    logger = _told_to[0]
    if record is not None and logger is not None:
        emit_event(logger, record)
