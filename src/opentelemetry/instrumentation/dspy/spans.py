"""An open span that is the current one: begun and ended in one frame, whoever made it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from opentelemetry.context import attach, get_current
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.trace import NonRecordingSpan, SpanKind, Status, StatusCode
from opentelemetry.util.genai.invocation import GenAIInvocation, InferenceInvocation
from opentelemetry.util.genai.types import Error
from opentelemetry.util.genai.utils import fq_exception_type

from .context import detach, inside_span
from .errors import message_of
from .exception_events import emit_exception, event_name_of, follow_errors, tell_exception
from .held_spans import HeldSpan
from .openings import note
from .surroundings import is_recorded_around, surroundings_in

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextvars import Token

    from opentelemetry._logs import LogRecord
    from opentelemetry.context import Context
    from opentelemetry.trace import Link, Span

    from .context import Call, Opening
    from .errors import Place
    from .tracers import CallTracer

__all__ = [
    "EnteredContext",
    "OpenInvocation",
    "OpenSpan",
    "enter",
    "finish_span",
    "open_invocation",
    "open_span",
]

Invocation = TypeVar("Invocation", bound=GenAIInvocation)


class OpenSpan:
    """A span of our own, for what the GenAI conventions have no operation for."""

    below: Opening | None = None
    _ended: bool = False
    _event: LogRecord | None = None
    """The log event of the error that ended it; emitted when it has ended, whatever was raised on the way there."""

    def __init__(self, span: Span, context: Context) -> None:
        """Take a span over and make its context the current one."""
        self.span = span
        self.context = context
        self.attributes: dict[str, Any] = {}
        """Set on the span at its end, all at once: each setting of attributes takes a lock."""
        self._token = attach(context)

    @property
    def is_recording(self) -> bool:
        """Whether attributes reach anybody; no work should be done for them where they do not."""
        return self.span.is_recording()

    def hold(self) -> HeldSpan:
        """Put off the end of the span; whoever asks has to let it go."""
        held = HeldSpan(self.span)
        self.span = cast("Span", held)
        return held

    def end(self, error: BaseException | None) -> None:
        """End the span, with the status of the error if one ended the call, and leave its context.

        A second end does nothing. The span ends and its context goes whatever is raised on the way there.
        """
        if self._ended:
            return
        self._ended = True
        try:
            self._settle(error)
        finally:
            try:
                self.span.end()
            finally:
                detach(self._token)
                if self._event is not None:
                    emit_exception(self._event)

    def _settle(self, error: BaseException | None) -> None:
        """Set what is known at the end, and take note of the log event of the error."""
        if error is not None:
            self._event = finish_span(self.span, self.attributes, error, self.context)
        elif self.attributes:
            self.span.set_attributes(self.attributes)


@dataclass(slots=True)
class OpenInvocation(Generic[Invocation]):
    """A span of ``opentelemetry-util-genai``, which names it and records its metrics and events."""

    invocation: Invocation
    _owns_span: bool
    _token: Token[Context]
    below: Opening | None = None
    _ended: bool = False

    @property
    def span(self) -> Span:
        """The span itself."""
        return self.invocation.span

    @property
    def context(self) -> Context:
        """The context in which the span is the current one."""
        return self.invocation.context

    @property
    def attributes(self) -> dict[str, Any]:
        """Set on the span and the event at the end of the invocation."""
        return self.invocation.attributes

    @property
    def is_recording(self) -> bool:
        """Whether attributes reach anybody; no work should be done for them where they do not."""
        return self.invocation.span.is_recording()

    def hold(self) -> HeldSpan:
        """Put off the end of the span; whoever asks has to let it go."""
        held = HeldSpan(self.invocation.span)
        self.invocation.span = cast("Span", held)
        return held

    def end(self, error: BaseException | None) -> None:
        """End the invocation, failed if an error ended the call, and leave its context.

        A second end does nothing. The span ends and its context goes whatever is raised on the way there.
        """
        if self._ended:
            return
        self._ended = True
        try:
            if error is None:
                self.invocation.stop()
            else:
                self._fail(error)
        except BaseException:
            self._end_span(error)
            raise
        finally:
            detach(self._token)

    def _fail(self, error: BaseException) -> None:
        span = self.invocation.span
        place: Place = "chat" if isinstance(self.invocation, InferenceInvocation) else "span"
        text = _text_of(error, span, self.context, place)
        event = None
        if self._owns_span:
            event = tell_exception(error, text, span, self.context, event_name_of(self.invocation), place)
        try:
            self.invocation.fail(Error(text, fq_exception_type(error), error))
        finally:
            emit_exception(event)

    def _end_span(self, error: BaseException | None) -> None:
        """End the span where util-genai failed to."""
        span = self.invocation.span
        if self._owns_span and span.is_recording():
            try:
                finish_span(span, self.invocation.attributes, error, self.context)
            finally:
                span.end()


@dataclass(slots=True)
class EnteredContext:
    """A context that is the current one without a span of its own."""

    _token: Token[Context]
    below: Opening | None = None
    _ended: bool = False

    def end(self, error: BaseException | None = None) -> None:
        """Leave the context; a second end does nothing."""
        if not self._ended:
            self._ended = True
            detach(self._token)


def enter(call: Call, context: Context) -> EnteredContext:
    """Make a context the current one until it is left, at the end of the call at the latest."""
    entered = EnteredContext(attach(context))
    note(call, entered)
    return entered


def finish_span(
    span: Span,
    attributes: dict[str, Any],
    error: BaseException | None,
    context: Context,
    event_name: str | None = None,
    place: Place = "span",
) -> LogRecord | None:
    """Set what is known at the end of a span, and the status of the error if one ended it; both whatever fails.

    ``context`` is that of the call, which tells what its error must not quote. Returns the log event that the error
    has, if it is to be emitted.
    """
    record = None
    try:
        if error is not None:
            text = _text_of(error, span, context, place)
            if span.is_recording():
                attributes[ERROR_TYPE] = fq_exception_type(error)
                span.set_status(Status(StatusCode.ERROR, text))
            record = tell_exception(error, text, span, context, event_name, place)
    finally:
        span.set_attributes(attributes)
    return record


def _text_of(error: BaseException, span: Span, context: Context, place: Place) -> str:
    """Return what may be told of the error, nothing where no span records that could tell it.

    A sampler may drop this span and not those around it: their texts must not hold what only this call knows of.
    """
    if span.is_recording() or is_recorded_around(context):
        return message_of(error, surroundings_in(context), place)
    return ""


def open_span(
    call: Call,
    tracer: CallTracer,
    name: str,
    context: Context | None = None,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    links: Sequence[Link] | None = None,
) -> OpenSpan:
    """Start the span of a call below the one in the context, by default the current one, and make it the current one.

    It ends with the call.
    """
    if context is None:
        context = get_current()
    span = tracer.start_span_of(call, name, context, kind, None, links)
    inside = inside_span(call, span, context)
    if type(span) is not NonRecordingSpan:
        follow_errors(call, span)
    opened = OpenSpan(span, inside)
    note(call, opened)
    return opened


def open_invocation(call: Call, invocation: Invocation, context: Context | None = None) -> OpenInvocation[Invocation]:
    """Take over an invocation that was just made, so that it can end in another context than it began in.

    A coroutine that the garbage collector closes does; util-genai would log an error (see ``context.detach``).
    ``context`` is made the current one, by default the invocation's own. It ends with the call.
    """
    # Inside another call of a language model util-genai makes no span, attaches nothing and shows the outer span.
    owns_span = get_current() is invocation.context
    invocation.suspend()
    if owns_span:
        follow_errors(call, invocation.span, event_name_of(invocation))
    opened = OpenInvocation(invocation, owns_span, attach(invocation.context if context is None else context))
    note(call, opened)
    return opened
