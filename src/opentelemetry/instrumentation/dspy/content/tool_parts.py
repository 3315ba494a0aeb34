"""Calls of tools and their results, those that the provider runs itself included."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from opentelemetry.util.genai.types import (
    ServerToolCallPart,
    ServerToolCallResponsePart,
    ToolCallRequestPart,
    ToolCallResponsePart,
)

from ..language_models.reply_values import member, name_of
from .content_values import MAX_ITEMS
from .fields import fields_of, first_text, is_kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.util.genai.types import MessagePart

    from . import Content, ContentKind

__all__ = ["CALLS_WITHOUT_NAME", "CALL_NAMES", "RESULT_NAMES", "server_tool", "tool_call", "tool_result"]

_ARGUMENTS = ("arguments", "input", "args", "action", "operation")
_RESULTS = ("content", "output", "response")
_IDENTIFIERS = ("call_id", "tool_call_id", "tool_use_id", "id")
_SERVER_RESULTS = ("results", "outputs", "output", "content", "error")

CALLS_WITHOUT_NAME = ("computer_call", "local_shell_call", "shell_call", "apply_patch_call")
"""Calls of tools that OpenAI defines and the program carries out."""

CALL_NAMES = frozenset({*_ARGUMENTS, *_IDENTIFIERS, "name", "function", "custom", "functionCall"})
"""The named values of a call that its part tells."""

RESULT_NAMES = frozenset({*_RESULTS, *_IDENTIFIERS, "functionResponse"})
"""The named values of a result that its part tells."""


def tool_call(content: Content, block: Mapping[str, Any], kind: ContentKind) -> list[MessagePart] | None:
    """Return the call of a tool of the program's, in OpenAI's, Anthropic's, Gemini's or DSPy's form."""
    nested = (fields_of(block.get(name)) for name in ("function", "custom", "functionCall"))
    source = next((fields for fields in nested if fields is not None), block)
    block_type = first_text(block, "type")
    # The type of a call of a computer or a shell is the name of the tool.
    own = block_type.removesuffix("_call") if block_type is not None and block_type in CALLS_WITHOUT_NAME else None
    name = name_of(source.get("name")) or own
    if name is None:
        return None
    arguments = next((source[key] for key in _ARGUMENTS if source.get(key) is not None), None)
    return [
        ToolCallRequestPart(
            arguments=content.value(_decoded(arguments), kind),
            name=content.text(name, kind),
            id=_identifier(content, block, kind) or _identifier(content, source, kind),
        )
    ]


def tool_result(content: Content, block: Mapping[str, Any], kind: ContentKind) -> list[MessagePart]:
    """Return the result of a tool of the program's, which goes back to the model."""
    source = fields_of(block.get("functionResponse")) or block
    result = next((source[key] for key in _RESULTS if source.get(key) is not None), None)
    if isinstance(result, (list, tuple)):
        first = (item if (fields := fields_of(item)) is None else fields for item in result[:MAX_ITEMS])
        result = [*first, *result[MAX_ITEMS:]]
    return [ToolCallResponsePart(response=content.value(result, kind), id=_identifier(content, block, kind))]


def server_tool(content: Content, block: Mapping[str, Any], kind: ContentKind) -> list[MessagePart]:
    """Return a call of a tool that the provider runs itself, such as a search, and its result if it stands beside it.

    Providers have a form of their own for each: what they tell is kept under the block's type.
    """
    block_type = content.text(first_text(block, "type") or "", kind)
    identifier = first_text(block, "id", "call_id", "tool_use_id")
    told = {name: value for name, value in block.items() if name not in _NOT_TOLD}
    parts: list[MessagePart] = []
    identifier = None if identifier is None else content.text(identifier, kind)
    results = {name: told.pop(name) for name in _SERVER_RESULTS if name in told}
    if not block_type.endswith("_result"):
        for name in ("arguments", "input"):
            if name in told:
                told[name] = _decoded(told[name])
        # The name of one of Anthropic's calls says which tool it is, the type of one of OpenAI's does.
        name = name_of(block.get("name")) or block_type.removesuffix("_call")
        call = {"type": block_type, **content.value(told, kind)}
        parts.append(ServerToolCallPart(name=content.text(name, kind), server_tool_call=call, id=identifier))
        told = {}
    if results:
        response = {"type": block_type, **content.value({**told, **results}, kind)}
        parts.append(ServerToolCallResponsePart(server_tool_call_response=response, id=identifier))
    return parts


_NOT_TOLD = frozenset({"call_id", "id", "name", "status", "tool_use_id", "type"})


def _identifier(content: Content, fields: Any, kind: ContentKind) -> str | None:
    identifier = next((found for name in _IDENTIFIERS if (found := member(fields, name)) is not None), None)
    return content.text(str(identifier), kind) if is_kind(identifier, str, int, float) else None


def _decoded(arguments: Any) -> Any:
    if not isinstance(arguments, str):
        return arguments
    try:
        return json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments
