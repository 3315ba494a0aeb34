"""An open span that is the current one: begun and ended in one frame, whoever made it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.util.genai.invocation import GenAIInvocation
from opentelemetry.util.genai.utils import fq_exception_type

from .context import attach, detach

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextvars import Token

    from opentelemetry.context import Context
    from opentelemetry.trace import Link, Span, Tracer

__all__ = ["OpenInvocation", "OpenSpan", "open_invocation", "open_span"]

Invocation = TypeVar("Invocation", bound=GenAIInvocation)


@dataclass(slots=True)
class OpenSpan:
    """A span of our own, for what the GenAI conventions have no operation for."""

    span: Span
    context: Context
    _token: Token[Context]
    attributes: dict[str, Any] = field(default_factory=dict)
    """Set on the span at its end, all at once: each setting of attributes takes a lock."""

    @property
    def is_recording(self) -> bool:
        """Whether attributes reach anybody; no work should be done for them where they do not."""
        return self.span.is_recording()

    def end(self, error: BaseException | None) -> None:
        """End the span, with the status of the error if one ended the call, and leave its context."""
        try:
            if self.span.is_recording():
                if error is not None:
                    self.attributes[ERROR_TYPE] = fq_exception_type(error)
                    self.span.set_status(Status(StatusCode.ERROR, str(error)))
                self.span.set_attributes(self.attributes)
            self.span.end()
        finally:
            detach(self._token)


@dataclass(slots=True)
class OpenInvocation(Generic[Invocation]):
    """A span of ``opentelemetry-util-genai``, which names it and records its metrics and events."""

    invocation: Invocation
    _token: Token[Context]

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
        """End the invocation, failed if an error ended the call, and leave its context."""
        try:
            if error is None:
                self.invocation.stop()
            else:
                self.invocation.fail(error)
        finally:
            detach(self._token)


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
    return OpenSpan(span, inside, attach(inside))


def open_invocation(invocation: Invocation) -> OpenInvocation[Invocation]:
    """Take over an invocation that was just made, so that it can end in another context than it began in.

    A coroutine that the garbage collector closes does; util-genai would log an error (see ``context.detach``).
    """
    invocation.suspend()
    return OpenInvocation(invocation, attach(invocation.context))
