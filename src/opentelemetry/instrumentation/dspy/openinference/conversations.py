"""Messages of the GenAI conventions in the shape of chat completions, which every viewer shows as a conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from .bounds import dumped, parsed
from .media_words import media_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opentelemetry.util.types import AttributeValue

__all__ = ["ChatMessage", "chat_messages", "flattened", "holds_media", "texts"]

ChatMessage: TypeAlias = "dict[str, Any]"


def chat_messages(value: Any) -> list[ChatMessage]:
    """Return the messages of a ``gen_ai.*.messages`` attribute, none where it was not recorded or was cut in two."""
    return [_message(message) for message in _messages(value)]


def texts(value: Any) -> str | None:
    """Return all texts of a ``gen_ai.*.messages`` attribute as one."""
    contents = (message["content"] for message in chat_messages(value))
    return "\n\n".join(text for text in contents if text) or None


def holds_media(value: Any) -> bool:
    """Return whether a ``gen_ai.*.messages`` attribute has anything in it that a viewer would show as a picture."""
    return isinstance(value, str) and any(
        part.get("type") in ("uri", "file", "blob") for message in _messages(value) for part in _parts(message)
    )


def flattened(prefix: str, messages: list[ChatMessage]) -> dict[str, AttributeValue]:
    """Return messages as OpenInference spreads them over numbered names."""
    return {
        f"{prefix}.{number}.message.{name}": value
        for number, message in enumerate(messages)
        for name, value in _flat(message)
    }


def _flat(message: ChatMessage) -> Iterator[tuple[str, AttributeValue]]:
    yield "role", message["role"]
    for name in ("content", "name", "tool_call_id"):
        if message.get(name):
            yield name, message[name]
    for number, call in enumerate(message.get("tool_calls", ())):
        prefix = f"tool_calls.{number}.tool_call"
        if call["id"] is not None:
            yield f"{prefix}.id", call["id"]
        yield f"{prefix}.function.name", call["function"]["name"]
        yield f"{prefix}.function.arguments", call["function"]["arguments"]


def _messages(value: Any) -> list[Mapping[str, Any]]:
    messages = parsed(value)
    return [message for message in messages if isinstance(message, dict)] if isinstance(messages, list) else []


def _parts(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    parts = message.get("parts")
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []


def _message(message: Mapping[str, Any]) -> ChatMessage:
    parts = _parts(message)
    calls = [part for part in parts if part.get("type") == "tool_call"]
    reasoning = [str(part.get("content")) for part in parts if part.get("type") == "reasoning"]
    others = [_text(part) for part in parts if part.get("type") not in ("tool_call", "reasoning")]
    shown: ChatMessage = {
        "role": str(message.get("role", "user")),
        "content": "\n".join(others) if others or not calls else None,
    }
    if isinstance(name := message.get("name"), str):
        shown["name"] = name
    if reasoning:
        shown["reasoning_content"] = "\n".join(reasoning)
    answered = next((part.get("id") for part in parts if part.get("type") == "tool_call_response"), None)
    if answered is not None:
        shown["tool_call_id"] = str(answered)
    if calls:
        shown["tool_calls"] = [_tool_call(call) for call in calls]
    return shown


def _tool_call(call: Mapping[str, Any]) -> dict[str, Any]:
    identifier, arguments = call.get("id"), call.get("arguments")
    function = {
        "name": str(call.get("name")),
        "arguments": arguments if isinstance(arguments, str) else dumped(arguments),
    }
    return {"id": None if identifier is None else str(identifier), "type": "function", "function": function}


def _text(part: Mapping[str, Any]) -> str:
    """Return a part as text. What stands for media would be a broken picture in the place of one."""
    kind, text = part.get("type"), part.get("content")
    if kind == "text" and isinstance(text, str):
        return text
    if kind == "tool_call_response":
        response = part.get("response")
        return response if isinstance(response, str) else dumped(response)
    media = part.get("uri") or part.get("file_id")
    if isinstance(media, str):
        return f"[{part.get('modality') or kind}: {media_words(media, part.get('mime_type'))}]"
    return dumped(part)
