"""What the JSON schemas of the GenAI messages ask for: one malformed item, and a viewer may drop the whole list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["faults_of"]

_TEXT = str
_REQUIRED: Mapping[str, Mapping[str, type]] = {
    "text": {"content": _TEXT},
    "reasoning": {"content": _TEXT},
    "tool_call": {"name": _TEXT, "arguments": object},
    "tool_call_response": {"response": object},
    "server_tool_call": {"name": _TEXT, "server_tool_call": dict},
    "server_tool_call_response": {"server_tool_call_response": dict},
    "file": {"modality": _TEXT, "file_id": _TEXT},
    "uri": {"modality": _TEXT, "uri": _TEXT},
}
"""What a part must have, by its type; a part of another type is none of the conventions'."""


def faults_of(messages: Iterable[Mapping[str, Any]], *, replies: bool) -> list[str]:
    """Return what is wrong with messages as they stand in an attribute."""
    return [fault for message in messages for fault in _faults_of_message(message, replies=replies)]


def _faults_of_message(message: Mapping[str, Any], *, replies: bool) -> Iterable[str]:
    if not isinstance(message["role"], str):
        yield f"role {message['role']!r}"
    if replies and not isinstance(message["finish_reason"], str):
        yield f"finish_reason {message['finish_reason']!r}"
    if not isinstance(message.get("name"), (str, type(None))):
        yield f"name {message['name']!r}"
    for part in message["parts"]:
        required = _REQUIRED.get(part["type"])
        if required is None:
            yield f"unknown part {part!r}"
            continue
        for name, kind in required.items():
            if not isinstance(part[name], kind):
                yield f"{name} of {part!r}"
            elif kind is dict and not isinstance(part[name].get("type"), str):
                yield f"type of {name} of {part!r}"
        if not isinstance(part.get("id"), (str, type(None))):
            yield f"id of {part!r}"
        if part["type"] == "uri" and part["uri"].startswith("data:"):
            yield f"data in {part!r}"
