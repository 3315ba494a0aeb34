"""The tracer of every span of this library: what is known of a call stands on its span from the start.

A sampler sees the attributes that a span starts with and no others, and so does ``on_start`` of a span processor. What
is known when a call begins is in the call's record (``context.ActiveCall``); the tracer takes it from there, whoever
starts the span: a recorder or ``opentelemetry-util-genai``. At its end a span may be completed by a mirror, which says
in the words of another convention what the recorders recorded.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

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
    get_tracer_provider,
    use_span,
)

from . import semconv
from .context import call_in
from .openings import carry_on
from .optimization.optimizer_runs import OPTIMIZER
from .samplers import ASKED_ALWAYS, NEVER_ASKED, drops_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from opentelemetry.context import Context
    from opentelemetry.trace import Link, Span
    from opentelemetry.util.types import Attributes, AttributeValue

    from .context import ActiveCall

    _ObjectProxy = wrapt.ObjectProxy[Any]
else:
    # wrapt's classes take parameters in their stubs alone.
    _ObjectProxy = wrapt.ObjectProxy

__all__ = ["CallTracerProvider", "Mirror", "kept_by"]


class Mirror(Protocol):
    """Says in other words what a span tells."""

    def __call__(self, name: str, span: Span) -> Mapping[str, AttributeValue]:
        """Return what to add to a span at its end, given the name that it started with; it never raises."""


class CallTracerProvider(TracerProvider):
    """Gives out tracers that know the calls they make spans of; the spans are another provider's."""

    def __init__(self, provider: TracerProvider | None, mirror: Mirror | None = None) -> None:
        self._provider = provider
        self._mirror = mirror

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes | None = None,
    ) -> Tracer:
        """Return a tracer of that name, of the global provider where none was given."""
        provider = self._provider or get_tracer_provider()
        tracer = provider.get_tracer(instrumenting_module_name, instrumenting_library_version, schema_url, attributes)
        return _CallTracer(tracer, self._mirror)


def kept_by(span: Span, attributes: Mapping[str, AttributeValue]) -> Mapping[str, AttributeValue]:
    """Return those of the attributes known at the start of a span that it has; all where it does not tell."""
    kept = getattr(span, "attributes", None)
    return attributes if kept is None else {name: value for name, value in attributes.items() if name in kept}


class _CallTracer(Tracer):
    def __init__(self, tracer: Tracer, mirror: Mirror | None) -> None:
        self._tracer = tracer
        self._mirror = mirror
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
        """Start a span with what the record of its call tells; nothing is worked out for nobody."""
        if context is None:
            context = get_current()
        tracer = self._tracer if self._is_known else self._resolve()
        is_dropped = self._drops is NEVER_ASKED or self._drops.span_in(context)
        if not is_dropped:
            call = call_in(context)
            name, attributes = _name_at_start(call, name), _known_at_start(call, attributes)
        span = tracer.start_span(
            name, context, kind, attributes, links, start_time, record_exception, set_status_on_exception
        )
        # By its type first: each call counts where nobody listens.
        if type(span) is NonRecordingSpan or not span.is_recording():
            return span
        if is_dropped:
            call = call_in(context)
            if call.span_name is not None:
                name = _name_at_start(call, name)
                span.update_name(name)
            span.set_attributes(_known_at_start(call, attributes))
        elif attributes:
            _give_back(span, attributes)
        return span if self._mirror is None else _mirrored(span, name, self._mirror)

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
        tracer = self._tracer
        if isinstance(tracer, ProxyTracer):
            tracer = tracer._tracer
            if isinstance(tracer, NoOpTracer):
                return tracer
        if not isinstance(tracer, NoOpTracer):
            # What has no sampler to look at may do anything.
            sampler = getattr(tracer, "sampler", None)
            self._drops = ASKED_ALWAYS if sampler is None else drops_of(sampler)
        self._tracer, self._is_known = tracer, True
        return tracer


def _name_at_start(call: ActiveCall, name: str) -> str:
    """Return the name that the call's record knows; the one that is given where it knows none."""
    names = [name]
    if call.span_name is not None:
        carry_on(_add_name, names, call.span_name)
    return names[-1]


def _known_at_start(call: ActiveCall, attributes: Attributes) -> dict[str, AttributeValue]:
    known: dict[str, AttributeValue] = {**call.attributes}
    if call.conversation_id is not None:
        known[GEN_AI_CONVERSATION_ID] = call.conversation_id
    place = OPTIMIZER.of(call)
    if place is not None:
        known[semconv.DSPY_OPTIMIZER_RUN_ID] = place.run.run_id
        if place.trial is not None:
            known[semconv.DSPY_OPTIMIZER_TRIAL] = place.trial.number
    if call.known is not None:
        carry_on(_add, known, call.known)
    if attributes:
        known.update(attributes)
    return known


def _give_back(span: Span, attributes: Mapping[str, AttributeValue]) -> None:
    """Set all where the span kept none: in the SDK, a sampler that returns no attributes takes all of them away.

    One that returns some of them means it so.
    """
    kept = getattr(span, "attributes", None)
    if kept is not None and not any(name in kept for name in attributes):
        span.set_attributes(attributes)


def _add_name(names: list[str], tell: Callable[[], str]) -> None:
    names.append(tell())


def _add(known: dict[str, AttributeValue], tell: Callable[[], Mapping[str, AttributeValue]]) -> None:
    known.update(tell())


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


def _mirrored(span: Span, name: str, mirror: Mirror) -> Span:
    mirrored: Span = _MirroredSpan(span, name, mirror)  # type: ignore[assignment]
    return mirrored
