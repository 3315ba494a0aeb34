"""Parts of a message as the GenAI conventions have them, from every block that DSPy and providers hand around.

DSPy 3.4's and 3.3's typed parts, blocks of chat completions, of the Responses API, of Anthropic and of Gemini are told
apart by their ``type``. What the conventions have no part for, and what a block says beyond its part, is a text that
holds it as JSON: one part that a viewer does not know can cost it the whole list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from opentelemetry.util.genai.types import ReasoningPart, TextPart

from ..language_models.reply_values import items_of
from .budgets import MAX_MARKED, PART
from .fields import fields_of, first_text, is_kind, is_mapping, says_nothing
from .media import reference_of_bytes
from .media_parts import medium
from .tool_parts import CALL_NAMES, CALLS_WITHOUT_NAME, RESULT_NAMES, server_tool, tool_call, tool_result

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.util.genai.types import MessagePart

    from . import Content, ContentKind

__all__ = ["BOOKKEEPING", "content_parts", "json_part", "reasoning_text", "unreadable"]

Reader: TypeAlias = "Callable[[Content, Mapping[str, Any], ContentKind], list[MessagePart] | None]"

BOOKKEEPING = frozenset(
    {
        *("type", "index", "status", "cache_control", "continuation", "logprobs", "metadata", "obfuscation", "role"),
        *("phase", "provider_data", "signature", "thoughtSignature", "thought_signature", "redacted", "output_index"),
    }
)
"""What clients and providers note of a block for themselves; nobody said it."""

MAX_DEPTH = 8
"""Lists and blocks inside one another that are told apart; what is further inside is JSON."""


def content_parts(
    content: Content, value: Any, kind: ContentKind, *, block_type: str | None = None, depth: int = 0
) -> list[MessagePart]:
    """Return the parts of a message's content: a text, a list of blocks or parts, or any other value.

    ``block_type`` is that of blocks which stand in a place where they need none; ``depth`` says in how many lists and
    blocks the value is.
    """
    if says_nothing(value):
        return []
    if is_kind(value, str):
        return [TextPart(content=content.text(value, kind))]
    if depth >= MAX_DEPTH:
        return [json_part(content, value, kind)]
    if is_kind(value, list, tuple):
        return _parts_in(content, value, kind, block_type, depth)
    fields = fields_of(value)
    if fields is None:
        return [json_part(content, value, kind)]
    if block_type is not None and not isinstance(fields.get("type"), str):
        fields["type"] = block_type
    return _parts_of(content, fields, kind, depth)


def _parts_in(
    content: Content, blocks: Sequence[Any], kind: ContentKind, block_type: str | None, depth: int
) -> list[MessagePart]:
    """Return the parts of several blocks; where nothing is left for more of them, how many there are."""
    budget, parts, marked = content.budget, list[Any](), 0
    for index, block in enumerate(blocks):
        if budget is not None and budget.is_spent:
            marked += 1
            # One list in another is not gone into: each could have as many as this one.
            if marked > MAX_MARKED or depth:
                return [*parts, TextPart(content=f"… [{len(blocks) - index} more parts]")]
        elif budget is not None:
            budget.spend(PART)
        parts += content_parts(content, block, kind, block_type=block_type, depth=depth + 1)
    return parts


def json_part(content: Content, value: Any, kind: ContentKind) -> MessagePart:
    """Return a text that holds a value for which the conventions have no part."""
    if is_mapping(value) and first_text(value, "type") in _OPAQUE_TYPES:
        value = {**value, "data": _reference(value.get("data"))}
    return TextPart(content=content.json(value, kind))


def unreadable(value: Any) -> MessagePart:
    """Return a text that stands for a value which fails when it is looked at."""
    return TextPart(content=f"… [{type(value).__name__}]")


def reasoning_text(fields: Mapping[str, Any]) -> str | None:
    """Return the text of a block of reasoning: its own, or that of the pieces and summaries in it."""
    whole = next((found for name in _REASONING if (found := _joined(fields.get(name))) is not None), None)
    if whole is not None:
        return whole
    pieces = (_joined(fields.get(name)) for name in ("summary", "content"))
    return "\n".join(piece for piece in pieces if piece is not None) or None


def _joined(value: Any) -> str | None:
    if isinstance(value, str):
        return value or None
    found = (first_text(item, "text") for item in items_of(value))
    return "\n".join(text for text in found if text is not None) or None


def _parts_of(content: Content, fields: Mapping[str, Any], kind: ContentKind, depth: int) -> list[MessagePart]:
    block_type = _type_of(fields)
    if _is_server_tool(block_type):
        return server_tool(content, fields, kind)
    read, names = _READERS.get(block_type, (None, None))
    found = None if read is None else read(content, fields, kind)
    if found is None:
        said = {name: value for name, value in fields.items() if name != "continuation"}
        return [json_part(content, said, kind)]
    if names is None:
        return found
    known = names | BOOKKEEPING
    beside = {name: value for name, value in fields.items() if name not in known and value is not False}
    for name in ("annotations", "citations"):
        if isinstance(beside.get(name), (list, tuple)):
            found += content_parts(content, beside.pop(name), kind, depth=depth + 1)
    return [*found, json_part(content, beside, kind)] if beside else found


def _type_of(fields: Mapping[str, Any]) -> str:
    """Return the type of a block; Gemini's blocks have none, but one name each."""
    block_type = fields.get("type")
    if isinstance(block_type, str):
        return block_type
    if fields.get("thought") is True:
        return "thinking"
    return next((name for name in _NAMES_OF_GEMINI if name in fields), "")


def _text(content: Content, fields: Mapping[str, Any], kind: ContentKind) -> list[MessagePart] | None:
    text = next((text for name in ("text", "refusal") if isinstance(text := fields.get(name), str)), None)
    if text is None:
        # An empty text is left out of the fields.
        return [] if set(fields) <= BOOKKEEPING else None
    return [TextPart(content=content.text(text, kind))]


def _reasoning(content: Content, fields: Mapping[str, Any], kind: ContentKind) -> list[MessagePart] | None:
    text = reasoning_text(fields)
    return None if text is None else [ReasoningPart(content=content.text(text, kind))]


def _data(content: Content, fields: Mapping[str, Any], kind: ContentKind) -> list[MessagePart] | None:
    return [TextPart(content=content.json(fields.get("value"), kind))]


def _is_server_tool(block_type: str) -> bool:
    if block_type in _READERS:
        return False
    return block_type.endswith(("_call", "_tool_use", "_tool_result"))


def _reference(value: Any) -> Any:
    return reference_of_bytes(value.encode(errors="surrogatepass")) if isinstance(value, str) else value


_REASONING = ("thinking", "text", "reasoning")
_REASONING_NAMES = frozenset({*_REASONING, "content", "summary", "thought", "encrypted_content", "id", "format"})
_OPAQUE_TYPES = ("redacted_thinking", "reasoning.encrypted")
_NAMES_OF_GEMINI = ("functionCall", "functionResponse", "inlineData", "fileData", "text")

_READERS: dict[str, tuple[Reader, frozenset[str] | None]] = {
    **dict.fromkeys(
        ("text", "input_text", "output_text", "refusal"), (_text, frozenset({"text", "refusal", "id", "parsed"}))
    ),
    **dict.fromkeys(
        ("thinking", "reasoning", "reasoning_text", "summary_text", "reasoning.text", "reasoning.summary"),
        (_reasoning, _REASONING_NAMES),
    ),
    **dict.fromkeys(
        (
            *("tool_call", "tool_use", "function_call", "custom_tool_call", "function", "custom", "functionCall"),
            *CALLS_WITHOUT_NAME,
        ),
        (tool_call, CALL_NAMES),
    ),
    **dict.fromkeys(
        (
            *("tool_result", "function_call_output", "custom_tool_call_output", "functionResponse"),
            *(f"{name}_output" for name in CALLS_WITHOUT_NAME),
        ),
        (tool_result, RESULT_NAMES),
    ),
    **dict.fromkeys(("image", "image_url", "input_image", "output_image", "image_generation_call"), (medium, None)),
    **dict.fromkeys(("audio", "input_audio", "output_audio"), (medium, None)),
    **dict.fromkeys(("video", "video_url", "input_video"), (medium, None)),
    **dict.fromkeys(
        ("file", "input_file", "output_file", "document", "binary", "inlineData", "fileData"), (medium, None)
    ),
    "data": (_data, frozenset({"value", "method"})),
}
"""How each type of block is read, and what of it is told then, ``None`` where all of it is."""
