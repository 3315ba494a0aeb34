"""The tracer of every span of this library: what is known of a call stands on its span from the start.

A sampler sees the attributes that a span starts with and no others, and so does ``on_start`` of a span processor. What
is known when a call begins is in the call's record (``context.Call``); the tracer takes it from there, whoever
starts the span: a recorder or ``opentelemetry-util-genai``. At its end a span may be completed by a mirror, which says
in the words of another convention what the recorders recorded.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

import wrapt
from opentelemetry.context import get_current
from opentelemetry.semconv._incubating.attributes.gen_ai_attributes import GEN_AI_CONVERSATION_ID
from opentelemetry.trace import (
    NonRecordingSpan,
    NoOpTracer,
    ProxyTracer,
    SpanKind,
    Tracer,
    TracerProvider,
    get_current_span,
    get_tracer_provider,
    use_span,
)

from .blocks import ATTRIBUTES, CONVERSATION_ID
from .context import CALL_KEY, NO_CALL
from .given_providers import given_tracer
from .openings import note_failure
from .samplers import ASKED_ALWAYS, NEVER_ASKED, UNKNOWN, drops_of
from .slots import Slot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from opentelemetry.context import Context
    from opentelemetry.trace import Link, Span
    from opentelemetry.util.types import Attributes, AttributeValue

    from .context import Call
    from .labels.baggage import Baggage

    _ObjectProxy = wrapt.ObjectProxy[Any]
else:
    # wrapt's classes take parameters in their stubs alone.
    _ObjectProxy = wrapt.ObjectProxy

__all__ = ["RUN_ATTRIBUTES", "CallTracer", "CallTracerProvider", "KnownAtStart", "Mirror", "kept_by"]

RUN_ATTRIBUTES: Final = Slot["Mapping[str, AttributeValue]"]("run attributes")
"""What stands on every span inside a run of something, as of an optimizer, for its spans to be found by."""


@dataclass(frozen=True, slots=True)
class KnownAtStart:
    """A teller of what takes no work to know, or is worked out when it is asked for."""

    attributes_at_start: Callable[[], Mapping[str, AttributeValue]]
    name: Callable[[], str] | None = None
    """Returns the name of the span, where it takes work."""

    def name_at_start(self, name: str) -> str:
        """Return the name of the span."""
        return name if self.name is None else self.name()


class Mirror(Protocol):
    """Says in other words what a span tells."""

    def __call__(self, name: str, span: Span) -> Mapping[str, AttributeValue]:
        """Return what to add to a span at its end, given the name that it started with; it never raises."""


class CallTracerProvider(TracerProvider):
    """Gives out tracers that know the calls they make spans of; the spans are another provider's."""

    def __init__(
        self,
        provider: TracerProvider | None = None,
        mirror: Mirror | None = None,
        at_first_call: Callable[[], None] | None = None,
        baggage: Baggage | None = None,
    ) -> None:
        self._provider = provider
        self._mirror = mirror
        self._at_first_call = at_first_call
        self._baggage = baggage

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes | None = None,
    ) -> CallTracer:
        """Return a tracer of that name, of the global provider where none was given."""
        scope = instrumenting_module_name, instrumenting_library_version, schema_url, attributes
        tracer = given_tracer(lambda: (self._provider or get_tracer_provider()).get_tracer(*scope))
        return CallTracer(tracer, self._mirror, self._at_first_call, self._baggage)


def kept_by(span: Span, attributes: Mapping[str, AttributeValue]) -> Mapping[str, AttributeValue]:
    """Return those of the attributes known at the start of a span that it has; all where it does not tell."""
    kept = getattr(span, "attributes", None)
    return attributes if kept is None else {name: value for name, value in attributes.items() if name in kept}


class CallTracer(Tracer):
    """Makes spans of calls."""

    def __init__(
        self,
        tracer: Tracer,
        mirror: Mirror | None,
        at_first_call: Callable[[], None] | None,
        baggage: Baggage | None,
    ) -> None:
        self._tracer = tracer
        self._mirror = mirror
        self._at_first_call = at_first_call
        self._baggage = baggage
        self._drops = NEVER_ASKED
        """What is dropped whatever it starts with: all, as long as nobody makes spans."""
        self._is_known = False

    def start_span(
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
    ) -> Span:
        """Start a span with what the record of the call tells that is in the context."""
        if context is None:
            context = get_current()
        call: Call = context.get(CALL_KEY, NO_CALL)  # type: ignore[assignment]
        return self.start_span_of(
            call, name, context, kind, attributes, links, start_time, record_exception, set_status_on_exception
        )

    def start_span_of(
        self,
        call: Call,
        name: str,
        context: Context,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
    ) -> Span:
        """Start a span with what the record of a call tells; nothing is worked out for nobody."""
        tracer = self._tracer if self._is_known else self._resolve()
        is_dropped = False
        if self._drops is not ASKED_ALWAYS and self._drops is not UNKNOWN:
            parent = get_current_span(context).get_span_context()
            is_dropped = self._drops.span_below(parent)
            if is_dropped and parent.is_valid and not (parent.is_remote or parent.trace_flags.sampled):
                # Nobody sees either of them: without a decision to ask for, one is as good as two.
                return NonRecordingSpan(parent)
        if not is_dropped:
            name, attributes = _at_start(call, name, attributes, self._baggage, context)
        try:
            span = tracer.start_span(
                name, context, kind, attributes, links, start_time, record_exception, set_status_on_exception
            )
            # By its type first: each call counts where nobody listens.
            if type(span) is NonRecordingSpan or not span.is_recording():
                return span
        except Exception as error:
            if call is NO_CALL:
                raise
            # The call goes without a span, and is counted as one that is not sampled.
            note_failure(call, error)
            return NonRecordingSpan(get_current_span(context).get_span_context())
        if is_dropped:
            given = name
            name, attributes = _at_start(call, name, attributes, self._baggage, context)
            if name != given:
                span.update_name(name)
            span.set_attributes(attributes)
        elif attributes and not self._drops.keeps_attributes:
            _give_back(span, attributes)
        return span if self._mirror is None else cast("Span", _MirroredSpan(span, name, self._mirror))

    # The API's is decorated by a class of its own, which does the same and more.
    @contextmanager
    def start_as_current_span(  # type: ignore[override]
        self, name: str, *arguments: Any, **keyword_arguments: Any
    ) -> Iterator[Span]:
        """Start a span and make it the current one."""
        end_on_exit = keyword_arguments.pop("end_on_exit", True)
        with use_span(self.start_span(name, *arguments, **keyword_arguments), end_on_exit=end_on_exit) as span:
            yield span

    def _resolve(self) -> Tracer:
        """Return the tracer that makes the spans, as soon as the application has set a provider."""
        if self._at_first_call is not None:
            at_first_call, self._at_first_call = self._at_first_call, None
            at_first_call()
        tracer = self._tracer
        if isinstance(tracer, ProxyTracer):
            proxy = tracer
            try:
                tracer = proxy._tracer
            except Exception:  # noqa: BLE001 - of the provider that the application has set since: told of below
                tracer = proxy
            if isinstance(tracer, NoOpTracer):
                return tracer
            tracer = given_tracer(lambda: proxy._tracer)
        if not isinstance(tracer, NoOpTracer):
            # What has no sampler to look at may do anything.
            sampler = getattr(tracer, "sampler", None)
            self._drops = UNKNOWN if sampler is None else drops_of(sampler)
        self._tracer, self._is_known = tracer, True
        return tracer


def _at_start(
    call: Call, name: str, attributes: Attributes, baggage: Baggage | None, context: Context
) -> tuple[str, dict[str, AttributeValue]]:
    """Return name and attributes that a span starts with, given those that whoever starts it knows."""
    known: dict[str, AttributeValue] = {} if baggage is None else {**baggage.attributes_in(context).on_spans}
    if not _ON_EVERY_SPAN.isdisjoint(call.kept):
        _add_those_on_every_span(known, call.kept)
    teller = call.teller
    if teller is not None:
        try:
            known.update(teller.attributes_at_start())
            name = teller.name_at_start(name)
        except Exception as error:  # noqa: BLE001 - told of by whoever began the call
            note_failure(call, error)
    if attributes:
        known.update(attributes)
    return name, known


_ON_EVERY_SPAN = frozenset({ATTRIBUTES, CONVERSATION_ID, RUN_ATTRIBUTES})


def _add_those_on_every_span(known: dict[str, AttributeValue], kept: Mapping[Slot[Any], Any]) -> None:
    """Add what the application, or a run of something, wants to stand on every span inside."""
    given, conversation_id, run = kept.get(ATTRIBUTES), kept.get(CONVERSATION_ID), kept.get(RUN_ATTRIBUTES)
    if given:
        known.update(given)
    if conversation_id is not None:
        known[GEN_AI_CONVERSATION_ID] = conversation_id
    if run is not None:
        known.update(run)


def _give_back(span: Span, attributes: Mapping[str, AttributeValue]) -> None:
    """Set all where the span kept none: in the SDK, a sampler that returns no attributes takes all of them away.

    One that returns some of them means it so.
    """
    kept = getattr(span, "attributes", None)
    if kept is not None and not any(name in kept for name in attributes):
        span.set_attributes(attributes)


class _MirroredSpan(_ObjectProxy):
    """A span that is completed at its end. All else is the span's own."""

    def __init__(self, span: Span, name: str, mirror: Mirror) -> None:
        super().__init__(span)
        self._self_name = name
        self._self_mirror = mirror

    def end(self, end_time: int | None = None) -> None:
        """Add what the mirror makes of the span, and end it."""
        try:
            self._complete()
        finally:
            self.__wrapped__.end(end_time)

    def __enter__(self) -> Any:
        self.__wrapped__.__enter__()
        return self

    def __exit__(self, *exception: Any) -> Any:
        try:
            self._complete()
        finally:
            self.__wrapped__.__exit__(*exception)

    def _complete(self) -> None:
        span = self.__wrapped__
        if span.is_recording():
            span.set_attributes(self._self_mirror(self._self_name, span))
