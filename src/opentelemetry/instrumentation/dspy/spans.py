"""An open span that is the current one: begun and ended in one frame, whoever made it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import wrapt
from opentelemetry.context import get_current
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.util.genai.invocation import GenAIInvocation
from opentelemetry.util.genai.utils import fq_exception_type

from .context import attach, detach
from .errors import error_of, message_of
from .openings import note
from .surroundings import surroundings_in

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextvars import Token

    from opentelemetry.context import Context
    from opentelemetry.trace import Link, Span, Tracer

    _ObjectProxy = wrapt.ObjectProxy[Any]
else:
    # wrapt's classes take parameters in their stubs alone.
    _ObjectProxy = wrapt.ObjectProxy

__all__ = [
    "EnteredContext",
    "HeldSpan",
    "OpenInvocation",
    "OpenSpan",
    "enter",
    "finish_span",
    "hold_end",
    "open_invocation",
    "open_span",
]

Invocation = TypeVar("Invocation", bound=GenAIInvocation)


@dataclass(slots=True)
class OpenSpan:
    """A span of our own, for what the GenAI conventions have no operation for."""

    span: Span
    context: Context
    _token: Token[Context]
    attributes: dict[str, Any] = field(default_factory=dict)
    """Set on the span at its end, all at once: each setting of attributes takes a lock."""
    _ended: bool = False

    @property
    def is_recording(self) -> bool:
        """Whether attributes reach anybody; no work should be done for them where they do not."""
        return self.span.is_recording()

    def end(self, error: BaseException | None) -> None:
        """End the span, with the status of the error if one ended the call, and leave its context.

        A second end does nothing. The span ends and its context goes whatever is raised on the way there.
        """
        if self._ended:
            return
        self._ended = True
        try:
            if self.span.is_recording():
                finish_span(self.span, self.attributes, error, self.context)
        finally:
            try:
                self.span.end()
            finally:
                detach(self._token)


@dataclass(slots=True)
class OpenInvocation(Generic[Invocation]):
    """A span of ``opentelemetry-util-genai``, which names it and records its metrics and events."""

    invocation: Invocation
    _owns_span: bool
    _token: Token[Context]
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
                self.invocation.fail(error_of(error, surroundings_in(self.context)))
        except BaseException:
            self._end_span(error)
            raise
        finally:
            detach(self._token)

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
    _ended: bool = False

    def end(self, error: BaseException | None = None) -> None:
        """Leave the context; a second end does nothing."""
        if not self._ended:
            self._ended = True
            detach(self._token)


def enter(context: Context) -> EnteredContext:
    """Make a context the current one until it is left, at the end of the call that begins now at the latest."""
    entered = EnteredContext(attach(context))
    note(entered)
    return entered


def finish_span(span: Span, attributes: dict[str, Any], error: BaseException | None, context: Context) -> None:
    """Set what is known at the end of a span, and the status of the error if one ended it; both whatever fails.

    ``context`` is that of the call, which tells what its error must not quote.
    """
    try:
        if error is not None:
            attributes[ERROR_TYPE] = fq_exception_type(error)
            span.set_status(Status(StatusCode.ERROR, message_of(error, surroundings_in(context))))
    finally:
        span.set_attributes(attributes)


def open_span(
    tracer: Tracer,
    name: str,
    context: Context,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    links: Sequence[Link] | None = None,
) -> OpenSpan:
    """Start a span below the one in the context and make it the current one."""
    span = tracer.start_span(name, context, kind, links=links)
    inside = set_span_in_context(span, context)
    opened = OpenSpan(span, inside, attach(inside))
    note(opened)
    return opened


def open_invocation(invocation: Invocation, context: Context | None = None) -> OpenInvocation[Invocation]:
    """Take over an invocation that was just made, so that it can end in another context than it began in.

    A coroutine that the garbage collector closes does; util-genai would log an error (see ``context.detach``).
    ``context`` is made the current one, by default the invocation's own.
    """
    # Inside another call of a language model util-genai makes no span, attaches nothing and shows the outer span.
    owns_span = get_current() is invocation.context
    invocation.suspend()
    opened = OpenInvocation(invocation, owns_span, attach(invocation.context if context is None else context))
    note(opened)
    return opened


class HeldSpan(_ObjectProxy):
    """A span whose end is put off: it takes attributes until it is let go, and ends with the time it was told to end.

    All else is the span's own.
    """

    def __init__(self, span: Span) -> None:
        super().__init__(span)
        self._self_held = True
        self._self_ended_at: int | None = None

    def end(self, end_time: int | None = None) -> None:
        """Note the time, in nanoseconds since the epoch, by default now; end only if the span was let go before."""
        self._self_ended_at = time.time_ns() if end_time is None else end_time
        if not self._self_held:
            self.__wrapped__.end(self._self_ended_at)

    def let_go(self) -> None:
        """End the span if it was told to end; from now on it ends when it is told to."""
        self._self_held = False
        if self._self_ended_at is not None:
            self.__wrapped__.end(self._self_ended_at)


def hold_end(opened: OpenSpan | OpenInvocation[Any]) -> HeldSpan:
    """Put off the end of an open span; whoever asks has to let it go."""
    held = HeldSpan(opened.span)
    span = cast("Span", held)
    if isinstance(opened, OpenSpan):
        opened.span = span
    else:
        opened.invocation.span = span
    return held
