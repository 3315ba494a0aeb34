"""What a language model said, choice by choice, from replies in the shape in which they came.

DSPy's own outputs leave out what it has no use for, and its typed parts what they have no type for: refusals, media,
searches of the provider's. So the provider's own message is read where the reply still holds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from opentelemetry.util.genai.types import ReasoningPart, TextPart

from ..language_models.reply_values import items_of, member
from .fields import fields_of, first_text, is_kind, is_mapping, says_nothing
from .parts import BOOKKEEPING, content_parts, json_part, reasoning_text

if TYPE_CHECKING:
    from opentelemetry.util.genai.types import MessagePart

    from . import Content, ContentKind

__all__ = ["choices_of", "message_parts", "parts_of_returned"]

MAX_BLOCKS = 1_000
"""Choices of a reply, and blocks in one, that are gone through."""

MAX_LOOKED = 10_000
"""Values of a reply among which texts are looked for."""

_READ = frozenset(
    {
        *("content", "text", "parts", "refusal", "images", "audio", "annotations", "citations", "tool_calls"),
        *("function_call", "reasoning_content", "reasoning", "reasoning_text", "thinking_blocks", "reasoning_details"),
    }
)
"""The named values of a message that have a part of their own."""

_NOTED = BOOKKEEPING | {
    *("id", "object", "created", "created_at", "model", "name", "tool_call_id", "provider_specific_fields", "prefix"),
    *("finish_reason", "native_finish_reason", "stop_reason", "stop_sequence", "usage", "parsed", "token_ids"),
    *("finishReason", "safetyRatings", "avgLogprobs", "logprobsResult", "tokenCount", "weight"),
}
"""The named values of a message that nobody said."""

_BESIDE_CHOICES = (
    *("citations", "search_results", "related_questions", "images", "videos"),
    *("vertex_ai_grounding_metadata", "vertex_ai_citation_metadata", "vertex_ai_url_context_metadata"),
)
"""Where replies keep what belongs to their message: Perplexity's sources, and Gemini's as LiteLLM hands them on."""


def message_parts(content: Content, message: Any, kind: ContentKind) -> list[MessagePart]:
    """Return all parts of a message of chat completions, or of one of DSPy's outputs, with all that stands beside it.

    Reasoning comes first, as the model wrote it, then the content, a refusal, media, citations and calls of tools.
    """
    fields = None if is_kind(message, str, list, tuple) else fields_of(message)
    if fields is None:
        named = {name: item for name in ("content", "text") if (item := member(message, name)) is not None}
        if not named or is_kind(message, str):
            return content_parts(content, message, kind)
        fields = {**named, **{name: item for name in _READ if not says_nothing(item := member(message, name))}}
    # LiteLLM keeps here what the protocol has no place for, and much of what it has a place for once more.
    fields = {**(fields_of(fields.get("provider_specific_fields")) or {}), **fields}
    parts = _reasoning_parts(content, fields, kind)
    for name in ("content", "text", "parts"):
        if name != "text" or fields.get("text") != fields.get("content"):
            parts += content_parts(content, fields.get(name), kind)
    parts += content_parts(content, fields.get("refusal"), kind)
    parts += _parts_beside(content, fields, kind)
    parts += content_parts(content, [*items_of(fields.get("tool_calls"))], kind, block_type="function")
    if "function_call" in fields:
        parts += content_parts(content, {"type": "function", "function": fields["function_call"]}, kind)
    left = {name: value for name, value in fields.items() if name not in _READ and name not in _NOTED}
    return [*parts, json_part(content, left, kind)] if left else parts


def parts_of_returned(content: Content, returned: Any) -> list[list[MessagePart]]:
    """Return the parts of each reply in what a language model's own code returned: a text, a list, a reply."""
    if returned is None or _is_iterator(returned):
        return []  # what comes from an iterator can be taken once, by the program
    if is_kind(returned, list, tuple):
        return [parts for item in returned[:MAX_BLOCKS] for parts in _replies_in(content, item)]
    return _replies_in(content, returned)


def _is_iterator(value: Any) -> bool:
    try:
        return isinstance(value, Iterator)
    except Exception:  # noqa: BLE001 - objects of the application may do anything when they are looked at
        return False


def _replies_in(content: Content, returned: Any) -> list[list[MessagePart]]:
    return [*choices_of(content, returned)] or [message_parts(content, returned, "output")]


def choices_of(content: Content, reply: Any) -> Iterable[list[MessagePart]]:
    """Return the parts of each choice of a reply, typed or in a provider's shape; none of what is no reply."""
    typed = member(member(reply, "message"), "parts")
    if isinstance(typed, (list, tuple)):  # DSPy 3.4
        return [_told_or_typed(content, member(reply, "provider_data"), typed)]
    if isinstance(member(reply, "parts"), (list, tuple)):  # an output of DSPy 3.3
        return _choices_of_output(content, reply)
    outputs = member(reply, "outputs")
    if isinstance(outputs, (list, tuple)) and not is_mapping(reply):  # a reply of DSPy 3.3
        return [parts for output in outputs[:MAX_BLOCKS] for parts in _choices_of_output(content, output)]
    return _choices_of_provider(content, reply)


def _choices_of_output(content: Content, output: Any) -> Iterable[list[MessagePart]]:
    typed = member(output, "parts")
    if isinstance(typed, (list, tuple)):
        return [_told_or_typed(content, member(output, "provider_output"), typed)]
    return _choices_of_provider(content, output)


def _told_or_typed(content: Content, told: Any, typed: Iterable[Any]) -> list[MessagePart]:
    """Return what the provider's own message holds, or the typed parts where that is not the whole of it.

    Of a stream DSPy's client keeps the last frame, which is a whole message with some providers.
    """
    if _holds_all(told, typed):
        found = [*_choices_of_provider(content, told)] or (
            [message_parts(content, told, "output")] if _said(told) else []
        )
        if len(found) == 1 and found[0]:
            return found[0]
    return [*content_parts(content, [*typed], "output"), *_parts_beside_choices(content, told)]


def _said(told: Any) -> bool:
    return member(told, "message") is None and not says_nothing(member(told, "text"))


def _holds_all(told: Any, typed: Iterable[Any]) -> bool:
    texts = [*_texts_in(told)]
    lines = (line for part in typed if member(part, "type") != "data" for line in _said_by(part).splitlines())
    return all(any(line in text for text in texts) for line in lines)


def _said_by(part: Any) -> str:
    # A call has an id that DSPy's client may have made up; the result of the tool is going to name it.
    return "\n".join(text for name in ("text", "name", "id") if (text := first_text(part, name)) is not None)


def _texts_in(value: Any) -> Iterable[str]:
    waiting, left = [value], MAX_LOOKED
    while waiting and left > 0:
        value = waiting.pop(0)
        left -= 1
        if isinstance(value, str):
            yield value
        else:
            items = value if is_kind(value, list, tuple) else (fields_of(value) or {}).values()
            waiting += islice(items, left)


def _choices_of_provider(content: Content, reply: Any) -> Iterable[list[MessagePart]]:
    choices = [*islice(items_of(member(reply, "choices")), MAX_BLOCKS)]
    if not choices and member(reply, "message") is not None:
        choices = [reply]
    for choice in choices:
        message = member(choice, "message")
        if message is not None or member(choice, "text") is not None:
            yield [
                *message_parts(content, choice if message is None else message, "output"),
                *_parts_beside_choices(content, reply if len(choices) == 1 else None),
            ]
    for candidate in islice(items_of(member(reply, "candidates")), MAX_BLOCKS):
        fields = fields_of(candidate) or {}
        yield message_parts(content, {**fields, "content": member(fields.get("content"), "parts")}, "output")
    output = member(reply, "output")
    if isinstance(output, (list, tuple)) and output:
        yield [part for item in output[:MAX_BLOCKS] for part in _item_parts(content, item)]
    elif isinstance(output, str) and output and member(reply, "status") is not None:
        yield content_parts(content, output, "output")
    elif member(reply, "type") == "message" and isinstance(member(reply, "content"), (list, tuple)):
        yield content_parts(content, member(reply, "content"), "output")  # Anthropic's


def _item_parts(content: Content, item: Any) -> list[MessagePart]:
    """Return the parts of an item of the Responses API."""
    return content_parts(content, member(item, "content") if member(item, "type") == "message" else item, "output")


def _parts_beside_choices(content: Content, reply: Any) -> list[MessagePart]:
    beside = {name: value for name in _BESIDE_CHOICES if not says_nothing(value := member(reply, name))}
    return [json_part(content, beside, "output")] if beside else []


def _reasoning_parts(content: Content, fields: Mapping[str, Any], kind: ContentKind) -> list[MessagePart]:
    whole = first_text(fields, "reasoning_content", "reasoning", "reasoning_text")
    parts: list[MessagePart] = [] if whole is None else [ReasoningPart(content=content.text(whole, kind))]
    told = whole or ""
    for name in ("thinking_blocks", "reasoning_details"):
        blocks = [*items_of(fields.get(name))]
        for block in blocks[:MAX_BLOCKS]:
            text = reasoning_text(fields_of(block) or {})
            if text is None or text not in told:
                parts += content_parts(content, block, kind)
                told += text or ""
        if len(blocks) > MAX_BLOCKS:
            parts.append(TextPart(content=f"… [{len(blocks) - MAX_BLOCKS} more parts]"))
    if whole is None and "reasoning" in fields:
        parts += content_parts(content, fields["reasoning"], kind, block_type="reasoning")
    return parts


def _parts_beside(content: Content, fields: Mapping[str, Any], kind: ContentKind) -> list[MessagePart]:
    parts: list[MessagePart] = []
    for name, block_type in _TYPES_BESIDE.items():
        beside = fields.get(name)
        if name == "images":
            beside = [_image(block) for block in (beside if isinstance(beside, (list, tuple)) else [beside])]
        parts += content_parts(content, beside, kind, block_type=block_type)
    return parts


def _image(block: Any) -> Any:
    return {"type": "image_url", "image_url": block} if isinstance(block, str) else block


_TYPES_BESIDE = {"images": "image_url", "audio": "audio", "annotations": "citation", "citations": "citation"}
