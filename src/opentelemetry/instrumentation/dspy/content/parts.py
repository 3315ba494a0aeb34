"""Parts of a message as the GenAI conventions have them, from every shape in which DSPy and providers hand them around.

DSPy 3.4's and 3.3's typed parts, blocks of chat completions, of the Responses API and of Anthropic are told apart by
their ``type``. What the conventions have no part for is a text that holds it as JSON: one part that a viewer does not
know costs it the whole list.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from opentelemetry.util.genai.types import (
    FilePart,
    ReasoningPart,
    TextPart,
    ToolCallRequestPart,
    ToolCallResponsePart,
    UriPart,
)

from ..language_models.reply_values import items_of, member
from ..reading import is_kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from opentelemetry.util.genai.types import MessagePart

    from . import Content, ContentKind

__all__ = ["content_parts", "message_parts", "parts_beside", "response_parts"]


def content_parts(content: Content, value: Any, kind: ContentKind) -> list[MessagePart]:
    """Return the parts of a message's content: a text, a list of blocks or parts, or any other value."""
    if value is None:
        return []
    if is_kind(value, str):
        return [TextPart(content=content.text(value, kind))] if len(value) else []
    if is_kind(value, list, tuple):
        return [part for block in value for part in _parts_of(content, block, kind)]
    return _parts_of(content, value, kind)


def message_parts(content: Content, message: Any, kind: ContentKind) -> list[MessagePart]:
    """Return all parts of a message of chat completions, or of one of DSPy's outputs, with all that stands beside it.

    Reasoning comes first, as the model wrote it, then the content, a refusal, media, citations and calls of tools.
    """
    if message is None or is_kind(message, str):
        return content_parts(content, message, kind)
    parts: list[MessagePart] = []
    reasoning = _first_text(message, "reasoning_content", "reasoning", "reasoning_text")
    if reasoning is not None:
        parts.append(ReasoningPart(content=content.text(reasoning, kind)))
    else:
        parts += [
            part for block in items_of(member(message, "thinking_blocks")) for part in _parts_of(content, block, kind)
        ]
    body = member(message, "content")
    parts += content_parts(content, member(message, "text") if body is None else body, kind)
    parts += content_parts(content, _first_text(message, "refusal"), kind)
    parts += parts_beside(content, message, kind)
    for call in items_of(member(message, "tool_calls")):
        parts += _tool_call(content, call, kind)
    single = member(message, "function_call")
    return parts if single is None else [*parts, *_tool_call(content, {"function": single}, kind)]


def parts_beside(content: Content, message: Any, kind: ContentKind) -> list[MessagePart]:
    """Return what stands beside the text of a message of chat completions: media and citations."""
    parts: list[MessagePart] = []
    for name in ("images", "audio", "annotations", "citations"):
        beside = member(message, name)
        for block in beside if isinstance(beside, (list, tuple)) else () if beside is None else (beside,):
            parts += _parts_of(content, _named_block(name, block), kind)
    return parts


def response_parts(content: Content, items: Iterable[Any], kind: ContentKind) -> list[MessagePart]:
    """Return the parts of the output of the Responses API, whose items are messages, calls and reasoning."""
    parts: list[MessagePart] = []
    for item in items:
        if member(item, "type") == "message":
            for block in items_of(member(item, "content")):
                parts += _parts_of(content, block, kind)
                for annotation in items_of(member(block, "annotations")):
                    parts += _parts_of(content, _named_block("annotations", annotation), kind)
        else:
            parts += _parts_of(content, item, kind)
    return parts


def _parts_of(content: Content, block: Any, kind: ContentKind) -> list[MessagePart]:
    if is_kind(block, str):
        return [TextPart(content=content.text(block, kind))]
    block_type = member(block, "type")
    read = _READERS.get(block_type) if isinstance(block_type, str) else None
    found = None if read is None else read(content, block, kind)
    return [TextPart(content=content.json(_plain(block), kind))] if found is None else found


def _text(content: Content, block: Any, kind: ContentKind) -> list[MessagePart] | None:
    if member(block, "text") == "":
        return []
    text = _first_text(block, "text", "refusal")
    return None if text is None else [TextPart(content=content.text(text, kind))]


def _reasoning(content: Content, block: Any, kind: ContentKind) -> list[MessagePart] | None:
    text = _first_text(block, "thinking", "text", "reasoning")
    if text is None:
        pieces = [*items_of(member(block, "content")), *items_of(member(block, "summary"))]
        text = "".join(piece for item in pieces if (piece := _first_text(item, "text")) is not None) or None
    return None if text is None else [ReasoningPart(content=content.text(text, kind))]


def _tool_call(content: Content, block: Any, kind: ContentKind) -> list[MessagePart]:
    function = member(block, "function")
    source = block if function is None else function
    name = member(source, "name")
    if not isinstance(name, str):
        return [TextPart(content=content.json(_plain(block), kind))]
    arguments = next(
        (value for key in ("arguments", "input", "args") if (value := member(source, key)) is not None), None
    )
    identifier = _first_text(block, "call_id", "id")
    return [
        ToolCallRequestPart(
            arguments=content.value(_decoded(arguments), kind),
            name=content.text(name, kind),
            id=None if identifier is None else content.text(identifier, kind),
        )
    ]


def _tool_result(content: Content, block: Any, kind: ContentKind) -> list[MessagePart]:
    result = next((value for key in ("content", "output") if (value := member(block, key)) is not None), None)
    identifier = _first_text(block, "tool_use_id", "call_id", "id")
    response = [_plain(item) for item in result] if isinstance(result, (list, tuple)) else result
    return [
        ToolCallResponsePart(
            response=content.value(response, kind),
            id=None if identifier is None else content.text(identifier, kind),
        )
    ]


def _medium(content: Content, block: Any, kind: ContentKind) -> list[MessagePart] | None:
    """Return media by its type, byte count and SHA-256, or by where it is."""
    block_type = str(member(block, "type"))
    if block_type == "image" and isinstance(block, dict):
        return None  # Anthropic's, which reads well as it is
    modality = next((word for word in ("image", "audio", "video") if word in block_type), "document")
    source: Any = next(
        (value for key in _SOURCES if (value := member(block, key)) is not None and not isinstance(value, str)), block
    )
    data = _first_text(source, "data", "file_data", "b64_json", "result")
    url = _first_text(source, "url", "image_url", "file_url", "path") or _first_text(block, "image_url", "file_url")
    mime_type = _first_text(source, "media_type", "mime_type") or _first_text(block, "media_type", "mime_type")
    if data is not None:
        audio_format = _first_text(source, "format")
        mime_type = mime_type or (f"{modality}/{audio_format}" if audio_format is not None else "")
        url = data if data.startswith("data:") else f"data:{mime_type};base64,{data}"
    if url is not None:
        if url.startswith("data:"):
            mime_type = url[len("data:") :].partition(",")[0].partition(";")[0]
        transcript = content_parts(content, _first_text(source, "transcript"), kind)
        return [UriPart(mime_type=mime_type or None, modality=modality, uri=content.text(url, kind)), *transcript]
    identifier = _first_text(source, "file_id") or _first_text(block, "file_id")
    if identifier is None:
        return None
    return [FilePart(mime_type=mime_type, modality=modality, file_id=content.text(identifier, kind))]


def _data(content: Content, block: Any, kind: ContentKind) -> list[MessagePart]:
    return [TextPart(content=content.json(member(block, "value"), kind))]


_SOURCES = ("source", "image_url", "input_audio", "file", "audio", "image")

_READERS: dict[str, Callable[[Content, Any, ContentKind], list[MessagePart] | None]] = {
    **dict.fromkeys(("text", "input_text", "output_text", "refusal"), _text),
    **dict.fromkeys(("thinking", "reasoning", "reasoning_text", "summary_text"), _reasoning),
    **dict.fromkeys(("tool_call", "tool_use", "function_call", "function"), _tool_call),
    **dict.fromkeys(("tool_result", "function_call_output"), _tool_result),
    **dict.fromkeys(("image", "image_url", "input_image", "image_generation_call"), _medium),
    **dict.fromkeys(("audio", "input_audio", "video", "binary", "file", "input_file", "document"), _medium),
    "data": _data,
}
"""What each type of part or block is; the names are those of DSPy, OpenAI and Anthropic."""


def _named_block(name: str, block: Any) -> Any:
    """Return what stands beside the content of a message as a block of its own."""
    if name == "images":
        return {"type": "image_url", **_plain_dict(block)}
    if name == "audio":
        return {**_plain_dict(block), "type": "audio"}
    plain = _plain(block)
    return {**plain, "type": "citation"} if isinstance(plain, dict) and "type" not in plain else plain


def _plain(value: Any) -> Any:
    """Return the fields of a part, for what has no reader of its own; provider's states of a part are left out."""
    fields = getattr(type(value), "__dataclass_fields__", None) or getattr(type(value), "model_fields", None)
    if not isinstance(fields, dict):
        return value
    named = {name: member(value, name) for name in fields if name != "continuation"}
    return {name: item for name, item in named.items() if item is not None}


def _plain_dict(value: Any) -> dict[str, Any]:
    plain = _plain(value)
    return dict(plain) if isinstance(plain, dict) else {"url": plain}


def _first_text(value: Any, *names: str) -> str | None:
    for name in names:
        found = member(value, name)
        if found is not None and not isinstance(found, str) and name == "path":
            return str(found)
        if isinstance(found, str) and found:
            return found
    return None


def _decoded(arguments: Any) -> Any:
    if not isinstance(arguments, str):
        return arguments
    try:
        return json.loads(arguments)
    except ValueError:
        return arguments
