"""Workflows and language model calls of which no content is recorded: a span and its metric points, no more.

``opentelemetry-util-genai`` makes the same of them, with an object for each thing that might be said of a call. Most
calls say little, and there are many of them: docs/performance.md has what that takes. Where content is recorded, a
completion hook is at work, a stream is timed or the call lies in another one, util-genai makes the span
(``is_enough_for``). ``tests/test_plain_operations.py`` holds that both give the same telemetry.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar

from opentelemetry.context import get_current, set_value
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes as gen_ai
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.semconv.attributes.server_attributes import SERVER_ADDRESS, SERVER_PORT
from opentelemetry.trace import NonRecordingSpan, SpanKind
from opentelemetry.util.genai.environment_variables import OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT
from opentelemetry.util.genai.invocation import CLIENT_INFERENCE_CONTEXT_KEY, InferenceData
from opentelemetry.util.genai.utils import fq_exception_type

from . import semconv
from .blocks import CONVERSATION_ID
from .context import inside_span
from .exception_events import follow_errors
from .given_providers import unguarded
from .language_models.published_usage import Published, attributes_published
from .openings import note
from .spans import OpenSpan, finish_span

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.context import Context
    from opentelemetry.metrics import Histogram
    from opentelemetry.trace import Span
    from opentelemetry.util.genai.handler import TelemetryHandler
    from opentelemetry.util.types import AttributeValue

    from .context import Call
    from .tracers import CallTracer

__all__ = ["PlainInference", "PlainOperations", "PlainWorkflow"]

try:
    from opentelemetry.util.genai._conversation_context import get_ambient_conversation_id, with_conversation_id
except ImportError:  # A later util-genai may keep it elsewhere: then all operations are its own.
    _IS_KNOWN = False
else:
    _IS_KNOWN = True

WORKFLOW = gen_ai.GenAiOperationNameValues.INVOKE_WORKFLOW.value

_DURATION, _TOKENS, _WORKFLOW_DURATION = "operation_duration", "token_usage", "invoke_workflow_duration"
"""What util-genai calls its instruments."""


class PlainWorkflow(OpenSpan):
    """A workflow under way."""

    def __init__(self, span: Span, context: Context, name: str, operations: PlainOperations) -> None:
        OpenSpan.__init__(self, span, context)
        self._point = {gen_ai.GEN_AI_WORKFLOW_NAME: name}
        self._duration = operations.workflow_duration
        self._began = perf_counter()

    def _settle(self, error: BaseException | None) -> None:
        OpenSpan._settle(self, error)
        _record_duration(self._duration, perf_counter() - self._began, self._point, error, self.context)


class PlainInference(OpenSpan):
    """A language model call under way."""

    input_tokens: int | None = None
    output_tokens: int | None = None

    def __init__(
        self,
        span: Span,
        context: Context,
        metric_attributes: Mapping[str, AttributeValue],
        published: Published,
        operations: PlainOperations,
    ) -> None:
        OpenSpan.__init__(self, span, context)
        self.metric_attributes = metric_attributes
        """Those of all its points: never changed in place, since many calls may share them."""
        self.published = published
        """What calls inside that other libraries instrument tell of themselves; util-genai makes no span of theirs."""
        self._operations = operations
        self._began = perf_counter()

    def _settle(self, error: BaseException | None) -> None:
        duration = perf_counter() - self._began
        if self.published.says_something:
            self._add_published(self.published)
        if error is not None:
            event = semconv.EVENT_GEN_AI_CLIENT_OPERATION_EXCEPTION
            self._event = finish_span(self.span, self.attributes, error, self.context, event, "chat")
        elif self.attributes:
            self.span.set_attributes(self.attributes)
        operations, context = self._operations, self.context
        _record_duration(operations.operation_duration, duration, self.metric_attributes, error, context)
        if self.input_tokens is not None:
            operations.token_usage.record(self.input_tokens, self._token_point(_INPUT, error), context)
        if self.output_tokens is not None:
            operations.token_usage.record(self.output_tokens, self._token_point(_OUTPUT, error), context)

    def _token_point(self, kind: str, error: BaseException | None) -> dict[str, AttributeValue]:
        point = {**self.metric_attributes, gen_ai.GEN_AI_TOKEN_TYPE: kind}
        if error is not None:
            point[ERROR_TYPE] = fq_exception_type(error)
        return point

    def _add_published(self, published: Published) -> None:
        """Add what calls inside told of themselves where this call says nothing, as util-genai does."""
        for name, value in attributes_published(published):
            self.attributes.setdefault(name, value)
        told = {**published.metric_attributes}
        for name in _OF_POINTS:
            if name in self.attributes:
                told[name] = self.attributes[name]
        self.metric_attributes = {**told, **self.metric_attributes}


_OF_POINTS = (gen_ai.GEN_AI_RESPONSE_MODEL, SERVER_ADDRESS, SERVER_PORT)
"""Attributes of the span that stand on its points too."""

_INPUT, _OUTPUT = gen_ai.GenAiTokenTypeValues.INPUT.value, gen_ai.GenAiTokenTypeValues.OUTPUT.value


@dataclass(frozen=True, slots=True)
class PlainOperations:
    """What makes them, with the instruments of util-genai."""

    tracer: CallTracer
    operation_duration: Histogram
    token_usage: Histogram
    workflow_duration: Histogram

    @classmethod
    def of(cls, tracer: CallTracer, handler: TelemetryHandler) -> PlainOperations | None:
        """Return what goes with a handler of util-genai.

        ``None`` where its spans are not plain, since a completion hook or log events of it are to have the calls, and
        where a version of it has its instruments elsewhere.
        """
        # Of a value that is none util-genai tells, where it has the calls.
        emits_none = os.environ.get(OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT, "").strip().lower() in ("", "false")
        if not emits_none or handler.should_capture_content() or not _IS_KNOWN:
            return None
        instruments = getattr(handler, "_instruments", None)
        duration, tokens = getattr(instruments, _DURATION, None), getattr(instruments, _TOKENS, None)
        workflow = getattr(instruments, _WORKFLOW_DURATION, None)
        if duration is None or tokens is None or workflow is None:
            return None
        return cls(tracer, unguarded(duration), unguarded(tokens), unguarded(workflow))

    def workflow(self, call: Call, name: str) -> PlainWorkflow:
        """Start the span of a workflow and make it the current one; it ends with the call."""
        context, conversation_id = _in_conversation(call, get_current())
        attributes = {gen_ai.GEN_AI_OPERATION_NAME: WORKFLOW, gen_ai.GEN_AI_WORKFLOW_NAME: name}
        span = self.tracer.start_span_of(call, f"{WORKFLOW} {name}", context, SpanKind.INTERNAL, attributes)
        inside = inside_span(call, span, context)
        return _noted(call, PlainWorkflow(span, inside, name, self), None, conversation_id)

    def inference(
        self,
        call: Call,
        name: str,
        attributes: Mapping[str, AttributeValue],
        metric_attributes: Mapping[str, AttributeValue],
    ) -> PlainInference | None:
        """Start the span of a language model call and make it the current one; it ends with the call.

        ``attributes`` are those that it starts with. ``None`` where it lies in another one that has the span.
        """
        context = get_current()
        if isinstance(context.get(CLIENT_INFERENCE_CONTEXT_KEY), InferenceData):
            return None
        context, conversation_id = _in_conversation(call, context)
        published = Published()
        span = self.tracer.start_span_of(call, name, context, SpanKind.CLIENT, attributes)
        inside = set_value(CLIENT_INFERENCE_CONTEXT_KEY, published, inside_span(call, span, context))
        opened = PlainInference(span, inside, metric_attributes, published, self)
        return _noted(call, opened, semconv.EVENT_GEN_AI_CLIENT_OPERATION_EXCEPTION, conversation_id)


Opened = TypeVar("Opened", bound=OpenSpan)


def _noted(call: Call, opened: Opened, event_name: str | None, conversation_id: str | None) -> Opened:
    if event_name is not None or type(opened.span) is not NonRecordingSpan:
        follow_errors(call, opened.span, event_name)
    if conversation_id is not None and opened.span.is_recording():
        opened.attributes[gen_ai.GEN_AI_CONVERSATION_ID] = conversation_id
    note(call, opened)
    return opened


def _in_conversation(call: Call, context: Context) -> tuple[Context, str | None]:
    """Return the context of an operation as util-genai makes it, and the conversation if another library began it."""
    own = call.kept.get(CONVERSATION_ID)
    if own is not None:
        return with_conversation_id(own, context), None
    return context, get_ambient_conversation_id(context)


def _record_duration(
    histogram: Histogram,
    seconds: float,
    attributes: Mapping[str, AttributeValue],
    error: BaseException | None,
    context: Context,
) -> None:
    histogram.record(max(seconds, 0.0), attributes if error is None else _with_error(attributes, error), context)


def _with_error(attributes: Mapping[str, AttributeValue], error: BaseException) -> Mapping[str, AttributeValue]:
    return {**attributes, ERROR_TYPE: fq_exception_type(error)}
