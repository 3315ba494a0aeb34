"""Calls of ``dspy.Adapter``: which one wrote a prompt, what it could not parse, and what it fell back to.

An adapter call has no span unless the user asks for it; what goes wrong in it are events on its predictor's span.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.util.genai.utils import fq_exception_type

from .. import semconv
from ..context import ActiveCall, current_call, with_call
from ..openings import carry_on
from ..programs.adapter_calls import AdapterCall
from ..programs.known_modules import conventional_names
from ..programs.signatures import describe
from ..spans import EnteredContext, OpenSpan, enter, open_span

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

    from ..calls import Call
    from ..content import Content
    from ..telemetry import Telemetry

__all__ = ["AdapterRecorder", "ParseRecorder", "PromptRecorder", "SchemaRecorder"]

_SIGNATURE, _INPUTS = 2, 4
"""Where the signature and the values of its input fields are among the arguments of ``Adapter.__call__``."""


class AdapterRecorder:
    """Puts the running adapter into the context, and notes when it was called because another one gave up."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def begin(self, call: Call) -> AdapterRecording:
        """Make the adapter the current one."""
        parent, name = current_call(), type(call.instance).__name__
        active = parent.inside(call)
        signature = call.arguments[_SIGNATURE] if len(call.arguments) > _SIGNATURE else None
        adapter = AdapterCall(
            name, call.keyword_arguments.get("signature", signature), parent.module, sys.exc_info()[1]
        )
        around = parent.adapter_call
        if around is not None:
            adapter.parse_errors, adapter.fallbacks = around.parse_errors, around.fallbacks
            _note_fallback(self._telemetry, around, name, adapter.handled)
        active.adapter_name, active.adapter_call = name, adapter
        return AdapterRecording(self._telemetry, active, outermost=around is None)


class AdapterRecording:
    """One adapter call under way."""

    __slots__ = ("_active", "_content", "_opened", "_outermost", "_telemetry")

    def __init__(self, telemetry: Telemetry, active: ActiveCall, *, outermost: bool) -> None:
        self._telemetry = telemetry
        self._active = active
        self._outermost = outermost
        self._opened: OpenSpan | EnteredContext = (
            _open(telemetry, active) if telemetry.options.adapter_spans else enter(with_call(active))
        )
        self._content = telemetry.content
        if telemetry.options.adapter_spans and isinstance(self._opened, OpenSpan) and self._opened.is_recording:
            self._content = telemetry.content.of_span()
            if self._content.on_spans:
                carry_on(_record_inputs, self._content, self._opened, active)

    def finish(self, result: Any) -> None:
        """Make the adapter around this one, if any, the current one again."""
        try:
            if self._telemetry.options.adapter_spans:
                self._record_answer(result)
        finally:
            self._end(None)

    def _record_answer(self, result: Any) -> None:
        opened = self._opened
        if isinstance(opened, OpenSpan) and opened.is_recording and self._content.on_spans:
            answer = self._content.make_room_for_answer().json(result, "output")
            opened.attributes[semconv.DSPY_ADAPTER_OUTPUTS] = answer

    def fail(self, error: BaseException) -> None:
        """Do the same after an exception; an adapter of the application's may parse in its own way."""
        adapter = self._active.adapter_call
        if adapter is not None and _is_parse_error(error):
            _note_parse_error(self._telemetry, adapter, error)
        self._end(error)

    def _end(self, error: BaseException | None) -> None:
        adapter = self._active.adapter_call
        if adapter is not None:
            adapter.handled = adapter.schema_error = None
            if self._outermost:
                adapter.parse_errors.clear()
                adapter.fallbacks.clear()
        self._opened.end(error)


class ParseRecorder:
    """Notes what ``Adapter._call_postprocess``, which each reply passes once, cannot parse.

    Not ``Adapter.parse``, which ``Adapter.__init_subclass__`` wraps once more for each class that inherits it, and
    whose failure does not matter to a reply that consists of tool calls.
    """

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def begin(self, call: Call) -> ParseRecording | None:
        """Find the adapter call that the reply is for."""
        adapter = current_call().adapter_call
        return None if adapter is None else ParseRecording(self._telemetry, adapter)


class ParseRecording:
    """One reply that is being parsed."""

    __slots__ = ("_adapter", "_telemetry")

    def __init__(self, telemetry: Telemetry, adapter: AdapterCall) -> None:
        self._telemetry = telemetry
        self._adapter = adapter

    def finish(self, result: Any) -> None:
        """The reply was understood."""

    def fail(self, error: BaseException) -> None:
        """Note the error; a value that is not of its field's type is a ``ValueError`` in some adapters."""
        if _is_parse_error(error) or isinstance(error, ValueError):
            _note_parse_error(self._telemetry, self._adapter, error)


class SchemaRecorder:
    """Notes that the JSON adapter cannot build a schema for a signature, so that it may do without."""

    def begin(self, call: Call) -> SchemaRecording | None:
        """Find the adapter call that the schema is for."""
        adapter = current_call().adapter_call
        return None if adapter is None else SchemaRecording(adapter)


class SchemaRecording:
    """One schema that is being built."""

    __slots__ = ("_adapter",)

    def __init__(self, adapter: AdapterCall) -> None:
        self._adapter = adapter

    def finish(self, result: Any) -> None:
        """There is a schema."""

    def fail(self, error: BaseException) -> None:
        """Keep the error until the adapter goes on without a schema."""
        self._adapter.schema_error = error


class PromptRecorder:
    """Notes that an adapter writes its prompt once more, in another mode, after it failed in the first.

    ``JSONAdapter`` does, where structured outputs fail; ``Adapter._call_preprocess`` begins each of its attempts.
    """

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def begin(self, call: Call) -> None:
        """Note the fallback, if it is one."""
        adapter = current_call().adapter_call
        if adapter is not None:
            _note_fallback(self._telemetry, adapter, adapter.name, adapter.schema_error or sys.exc_info()[1])
            adapter.schema_error = None


def _is_parse_error(error: BaseException) -> bool:
    return any(ancestor.__name__ == "AdapterParseError" for ancestor in type(error).__mro__)


def _is_signature(value: object) -> bool:
    # On the metaclass, which has it as a property: asked for on the class it would be worked out.
    return hasattr(type(value), "input_fields")


def _note_parse_error(telemetry: Telemetry, adapter: AdapterCall, error: BaseException) -> None:
    if any(noted is error for noted in adapter.parse_errors):
        return
    adapter.parse_errors.append(error)
    event = {semconv.DSPY_ADAPTER_NAME: adapter.name, ERROR_TYPE: fq_exception_type(error)}
    _add_event(adapter, semconv.EVENT_DSPY_ADAPTER_PARSE_ERROR, event)
    telemetry.metrics.adapter_parse_errors.add(1, _metric_attributes(adapter))


def _note_fallback(telemetry: Telemetry, adapter: AdapterCall, to: str, error: BaseException | None) -> None:
    """Note that an adapter goes on by another way: it does if it is handling an exception that it met itself."""
    if error is None or error is adapter.handled or any(noted is error for noted in adapter.fallbacks):
        return
    adapter.fallbacks.append(error)
    event = {semconv.DSPY_ADAPTER_FROM: adapter.name, semconv.DSPY_ADAPTER_TO: to}
    _add_event(adapter, semconv.EVENT_DSPY_ADAPTER_FALLBACK, event)
    telemetry.metrics.adapter_fallbacks.add(1, _metric_attributes(adapter))


def _add_event(adapter: AdapterCall, name: str, attributes: dict[str, str]) -> None:
    span = adapter.module.span if adapter.module is not None else None
    if span is not None and span.is_recording():
        span.add_event(name, attributes)


def _metric_attributes(adapter: AdapterCall) -> dict[str, AttributeValue]:
    attributes: dict[str, AttributeValue] = {semconv.DSPY_ADAPTER_NAME: adapter.name}
    name = describe(adapter.signature).name if _is_signature(adapter.signature) else None
    if name is not None:
        attributes[semconv.DSPY_SIGNATURE_NAME] = name
    return attributes


def _open(telemetry: Telemetry, active: ActiveCall) -> OpenSpan:
    adapter = active.adapter_call
    name = active.adapter_name or ""
    active.known = partial(conventional_names, active.module)
    signature, span_name = None, name
    if adapter is not None and _is_signature(adapter.signature):
        signature = describe(adapter.signature)
        span_name = f"{name} {signature.label}"
        if signature.name is None and adapter.module is not None:
            active.span_name = partial(adapter.module.name_by_place, name, signature)
    opened = open_span(telemetry.tracer, span_name, with_call(active))
    if opened.is_recording:
        attributes = opened.attributes
        attributes[semconv.DSPY_ADAPTER_NAME] = name
        if signature is not None:
            attributes[semconv.DSPY_SIGNATURE_FIELDS] = signature.fields
            if signature.name is not None:
                attributes[semconv.DSPY_SIGNATURE_NAME] = signature.name
    return opened


def _record_inputs(content: Content, opened: OpenSpan, active: ActiveCall) -> None:
    arguments, keyword_arguments = active.given
    inputs = keyword_arguments.get("inputs", arguments[_INPUTS] if len(arguments) > _INPUTS else {})
    opened.attributes[semconv.DSPY_ADAPTER_INPUTS] = content.named_json(inputs, "input")
