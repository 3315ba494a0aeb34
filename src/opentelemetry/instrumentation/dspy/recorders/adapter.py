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
from ..context import with_call
from ..openings import carry_on
from ..programs.adapter_calls import ADAPTER_CALL, ADAPTER_NAME, AdapterCall
from ..programs.known_modules import conventional_names
from ..programs.running_modules import MODULE
from ..programs.signatures import describe
from ..spans import enter, open_span
from ..tracers import KnownAtStart
from ..wrapping.calls import Noter, Recording

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

    from ..content import Content
    from ..context import Call
    from ..spans import OpenSpan
    from ..telemetry import Telemetry

__all__ = ["AdapterRecorder", "ParseRecorder", "SchemaRecorder", "note_prompt"]

_SIGNATURE, _INPUTS = 2, 4
"""Where the signature and the values of its input fields are among the arguments of ``Adapter.__call__``."""


class AdapterRecorder:
    """Puts the running adapter into the context, and notes when it was called because another one gave up."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def begin(self, call: Call) -> AdapterRecording:
        """Make the adapter the current one."""
        name, around = type(call.instance).__name__, ADAPTER_CALL.of(call.caller)
        signature = call.arguments[_SIGNATURE] if len(call.arguments) > _SIGNATURE else None
        adapter = AdapterCall(
            name, call.keyword_arguments.get("signature", signature), call.kept.get(MODULE), sys.exc_info()[1]
        )
        if around is not None:
            adapter.parse_errors, adapter.fallbacks = around.parse_errors, around.fallbacks
            _note_fallback(self._telemetry, around, name, adapter.handled)
        ADAPTER_NAME.put(call, name)
        ADAPTER_CALL.put(call, adapter)
        if self._telemetry.options.adapter_spans:
            return AdapterSpanRecording(self._telemetry, adapter, call, is_outermost=around is None)
        enter(call, with_call(call))
        return AdapterRecording(self._telemetry, adapter, is_outermost=around is None)


class AdapterRecording(Recording):
    """One adapter call under way."""

    __slots__ = ("_adapter", "_is_outermost", "_telemetry")

    def __init__(self, telemetry: Telemetry, adapter: AdapterCall, *, is_outermost: bool) -> None:
        self._telemetry = telemetry
        self._adapter = adapter
        self._is_outermost = is_outermost

    def fail(self, error: BaseException) -> None:
        """Note what could not be parsed; an adapter of the application's may parse in its own way."""
        if _is_parse_error(error):
            _note_parse_error(self._telemetry, self._adapter, error)

    def end(self, error: BaseException | None) -> None:
        """Let go of the exceptions that were told of."""
        adapter = self._adapter
        adapter.handled = adapter.schema_error = adapter.handled_at_first_prompt = None
        if self._is_outermost:
            adapter.parse_errors.clear()
            adapter.fallbacks.clear()


class AdapterSpanRecording(AdapterRecording):
    """One adapter call under way that has a span, for who asks for one."""

    __slots__ = ("_content", "_opened")

    def __init__(self, telemetry: Telemetry, adapter: AdapterCall, call: Call, *, is_outermost: bool) -> None:
        super().__init__(telemetry, adapter, is_outermost=is_outermost)
        self._opened = _open(telemetry, adapter, call)
        self._content = telemetry.content
        if self._opened.is_recording:
            self._content = telemetry.content.of_span()
            if self._content.on_spans:
                carry_on(call, _record_inputs, self._content, self._opened, call)

    def finish(self, result: Any) -> None:
        """Record the answer."""
        if self._opened.is_recording and self._content.on_spans:
            answer = self._content.make_room_for_answer().json(result, "output")
            self._opened.attributes[semconv.DSPY_ADAPTER_OUTPUTS] = answer


class ParseRecorder(Noter):
    """Notes what ``Adapter._call_postprocess``, which each reply passes once, cannot parse.

    Not ``Adapter.parse``, which ``Adapter.__init_subclass__`` wraps once more for each class that inherits it, and
    whose failure does not matter to a reply that consists of tool calls.
    """

    __slots__ = ("_telemetry",)

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def raised(self, around: Call, instance: Any, arguments: tuple[Any, ...], error: BaseException) -> None:
        """Note the error; a value that is not of its field's type is a ``ValueError`` in some adapters."""
        adapter = ADAPTER_CALL.of(around)
        if adapter is not None and (_is_parse_error(error) or isinstance(error, ValueError)):
            _note_parse_error(self._telemetry, adapter, error)


class SchemaRecorder(Noter):
    """Notes that the JSON adapter cannot build a schema for a signature, so that it may do without."""

    def raised(self, around: Call, instance: Any, arguments: tuple[Any, ...], error: BaseException) -> None:
        """Keep the error until the adapter goes on without a schema."""
        adapter = ADAPTER_CALL.of(around)
        if adapter is not None:
            adapter.schema_error = error


def note_prompt(telemetry: Telemetry, adapter: AdapterCall) -> None:
    """Note a fallback, where an adapter sends its prompt once more, in another mode, after it failed in the first.

    ``JSONAdapter`` does, where structured outputs fail: it calls the language model while it handles that. What an
    adapter handles when it sends its first prompt is something else: a cache of the application's that has no answer.
    """
    handled = sys.exc_info()[1]
    if adapter.schema_error is not None:
        _note_fallback(telemetry, adapter, adapter.name, adapter.schema_error)
        adapter.schema_error = None
    elif adapter.has_prompted and handled is not adapter.handled_at_first_prompt:
        _note_fallback(telemetry, adapter, adapter.name, handled)
    if not adapter.has_prompted:
        adapter.has_prompted, adapter.handled_at_first_prompt = True, handled


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


def _open(telemetry: Telemetry, adapter: AdapterCall, call: Call) -> OpenSpan:
    signature, span_name, name_by_place = None, adapter.name, None
    if _is_signature(adapter.signature):
        signature = describe(adapter.signature)
        span_name = f"{adapter.name} {signature.label}"
        if signature.name is None and adapter.module is not None:
            name_by_place = partial(adapter.module.name_by_place, adapter.name, signature)
    call.teller = KnownAtStart(partial(conventional_names, adapter.module), name_by_place)
    opened = open_span(call, telemetry.tracer, span_name)
    if opened.is_recording:
        opened.attributes[semconv.DSPY_ADAPTER_NAME] = adapter.name
        if signature is not None:
            opened.attributes.update(signature.attributes)
    return opened


def _record_inputs(content: Content, opened: OpenSpan, call: Call) -> None:
    arguments, keyword_arguments = call.given
    inputs = keyword_arguments.get("inputs", arguments[_INPUTS] if len(arguments) > _INPUTS else {})
    opened.attributes[semconv.DSPY_ADAPTER_INPUTS] = content.named_json(inputs, "input")
