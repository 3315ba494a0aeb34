"""The messages of a language model call, from the shapes that DSPy passes around to those of the GenAI conventions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from opentelemetry.util.genai.types import (
    FilePart,
    FunctionToolDefinition,
    InputMessage,
    OutputMessage,
    ReasoningPart,
    TextPart,
    ToolCallRequestPart,
    ToolCallResponsePart,
    UriPart,
)

from ..language_models.reply_values import is_a, items_of, member

if TYPE_CHECKING:
    from opentelemetry.util.genai.types import MessagePart, ToolDefinition

    from . import Content, ContentKind

__all__ = ["input_messages", "output_messages", "text_message", "tool_definitions"]


def text_message(role: str, text: str) -> InputMessage:
    """Return a message of one text, which has been treated already."""
    return InputMessage(role=role, parts=[TextPart(content=text)])


def input_messages(content: Content, prompt: Any, messages: Any) -> list[InputMessage]:
    """Return the input of a call that was given a prompt or a list of messages in OpenAI's shape.

    System messages stay in the history, where DSPy's adapters put them: the conventions want them apart only where
    the API takes them apart.
    """
    if is_a(messages, (list, tuple)) and len(messages) > 0:
        return [_input_message(content, message) for message in items_of(messages) if is_a(message, Mapping)]
    if is_a(prompt, str):
        return [text_message("user", content.text(prompt, "input"))]
    if is_a(prompt, Mapping):
        return [text_message("user", content.json(prompt, "input"))]
    return []


def output_messages(content: Content, outputs: Iterable[Any], finish_reasons: Sequence[str]) -> list[OutputMessage]:
    """Return one message for each of DSPy's outputs, strings or dicts."""
    reasons = [*finish_reasons]
    return [
        OutputMessage(
            role="assistant",
            parts=_output_parts(content, output),
            finish_reason=reasons[index] if index < len(reasons) else None,
        )
        for index, output in enumerate(outputs)
    ]


def tool_definitions(content: Content, tools: Any) -> list[ToolDefinition]:
    """Return the tools of a call in OpenAI's shape; descriptions and parameters are content."""
    definitions: list[ToolDefinition] = []
    for tool in items_of(tools):
        function = tool.get("function", tool) if isinstance(tool, Mapping) else {}
        name = function.get("name")
        if isinstance(name, str):
            description = function.get("description")
            definitions.append(
                FunctionToolDefinition(
                    name=name,
                    description=content.text(description, "tool") if isinstance(description, str) else None,
                    parameters=content.value(function.get("parameters"), "tool"),
                )
            )
    return definitions


def _input_message(content: Content, message: Mapping[str, Any]) -> InputMessage:
    role = _role(content, message.get("role", "user"))
    kind: ContentKind = "system" if role in ("system", "developer") else "output" if role == "assistant" else "input"
    if role == "tool":
        response = content.value(message.get("content"), kind)
        return InputMessage(
            role=role,
            parts=[ToolCallResponsePart(response=response, id=_word(content, message.get("tool_call_id"), kind))],
        )
    parts = _content_parts(content, message.get("content"), kind)
    parts.extend(_tool_calls(content, message.get("tool_calls"), kind))
    return InputMessage(role=role, parts=parts)


def _content_parts(content: Content, value: Any, kind: ContentKind) -> list[MessagePart]:
    if value is None:
        return []
    if is_a(value, str):
        return [TextPart(content=content.text(value, kind))]
    if not is_a(value, (list, tuple)):
        return [TextPart(content=content.json(value, kind))]
    return [_content_part(content, block, kind) for block in items_of(value)]


def _content_part(content: Content, block: Any, kind: ContentKind) -> MessagePart:
    """Return one block of a message; media is represented by its type, byte count and SHA-256."""
    if isinstance(block, str):
        return TextPart(content=content.text(block, kind))
    if not isinstance(block, Mapping):
        return TextPart(content=content.json(block, kind))
    block_type = block.get("type")
    if block_type == "text" and isinstance(block.get("text"), str):
        return TextPart(content=content.text(block["text"], kind))
    image = block.get("image_url")
    url = image.get("url") if isinstance(image, Mapping) else image
    if block_type == "image_url" and isinstance(url, str):
        return _media(content, url, "image", kind)
    audio = block.get("input_audio")
    if block_type == "input_audio" and isinstance(audio, Mapping):
        audio_url = f"data:audio/{audio.get('format', '')};base64,{audio.get('data', '')}"
        return _media(content, audio_url, "audio", kind)
    file = block.get("file")
    if block_type == "file" and isinstance(file, Mapping):
        data, file_id = file.get("file_data"), file.get("file_id")
        if isinstance(data, str):
            file_url = data if data.startswith("data:") else f"data:;base64,{data}"
            return _media(content, file_url, "document", kind)
        if isinstance(file_id, str):
            return FilePart(mime_type=None, modality="document", file_id=file_id)
    return TextPart(content=content.json(block, kind))


def _media(content: Content, url: str, modality: str, kind: ContentKind) -> UriPart:
    mime_type = url[len("data:") :].partition(",")[0].partition(";")[0] if url.startswith("data:") else ""
    return UriPart(mime_type=mime_type or None, modality=modality, uri=content.text(url, kind))


def _output_parts(content: Content, output: Any) -> list[MessagePart]:
    if not is_a(output, Mapping):
        return _content_parts(content, output, "output")
    parts: list[MessagePart] = []
    reasoning = output.get("reasoning_content")
    if isinstance(reasoning, str) and reasoning:
        parts.append(ReasoningPart(content=content.text(reasoning, "output")))
    parts.extend(_content_parts(content, output.get("text"), "output"))
    parts.extend(_tool_calls(content, output.get("tool_calls"), "output"))
    return parts


def _tool_calls(content: Content, tool_calls: Any, kind: ContentKind) -> list[MessagePart]:
    parts: list[MessagePart] = []
    for call in items_of(tool_calls):
        function = member(call, "function")
        name = member(function, "name")
        if is_a(name, str):
            arguments = content.value(_decoded(member(function, "arguments")), kind)
            identifier = _word(content, member(call, "id"), kind)
            parts.append(ToolCallRequestPart(arguments=arguments, name=content.text(name, kind), id=identifier))
    return parts


_ROLES = frozenset({"assistant", "developer", "function", "system", "tool", "user"})


def _role(content: Content, role: Any) -> str:
    """Return the role of a message; one that is none of the protocol's is whatever the application put there."""
    return role if isinstance(role, str) and role in _ROLES else content.text(str(role), "input")


def _word(content: Content, value: Any, kind: ContentKind) -> str | None:
    return content.text(value, kind) if is_a(value, str) else None


def _decoded(arguments: Any) -> Any:
    if not is_a(arguments, str):
        return arguments
    try:
        return json.loads(arguments)
    except ValueError:
        return arguments
