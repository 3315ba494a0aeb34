"""The messages of a language model call, from the shapes that DSPy passes around to those of the GenAI conventions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.util.genai.types import (
    FunctionToolDefinition,
    InputMessage,
    OutputMessage,
    TextPart,
    ToolCallResponsePart,
)

from ..language_models.reply_values import items_of, member
from ..reading import is_kind, is_mapping
from .parts import content_parts, message_parts, parts_beside, response_parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from opentelemetry.util.genai.types import MessagePart, ToolDefinition

    from . import Content, ContentKind

__all__ = ["input_messages", "output_messages", "replied_messages", "text_message", "tool_definitions"]


def text_message(role: str, text: str) -> InputMessage:
    """Return a message of one text, which has been treated already."""
    return InputMessage(role=role, parts=[TextPart(content=text)])


def input_messages(content: Content, prompt: Any, messages: Any) -> list[InputMessage]:
    """Return the input of a call that was given a prompt or a list of messages in OpenAI's shape.

    System messages stay in the history, where DSPy's adapters put them: the conventions want them apart only where
    the API takes them apart.
    """
    if is_kind(messages, list, tuple) and len(messages):
        return [_input_message(content, message) for message in messages if _is_message(message)]
    if is_kind(prompt, str):
        return [text_message("user", content.text(prompt, "input"))]
    if is_mapping(prompt):
        return [text_message("user", content.json(prompt, "input"))]
    if prompt is None:
        return []
    return [InputMessage(role="user", parts=content_parts(content, prompt, "input"))]


def output_messages(content: Content, outputs: Iterable[Any], finish_reasons: Sequence[str]) -> list[OutputMessage]:
    """Return one message for each of DSPy's outputs, strings, mappings or whatever a language model returned."""
    return _outputs([message_parts(content, output, "output") for output in outputs], finish_reasons)


def replied_messages(content: Content, replies: Sequence[Any], finish_reasons: Sequence[str]) -> list[OutputMessage]:
    """Return one message for each choice of the replies, as they came: DSPy's outputs leave out what it has no use for.

    A reply is one of DSPy's typed ones, of chat or text completions, or of the Responses API; none of another shape.
    """
    return _outputs([parts for reply in replies for parts in _choices(content, reply)], finish_reasons)


def _outputs(all_parts: Sequence[list[MessagePart]], finish_reasons: Sequence[str]) -> list[OutputMessage]:
    reasons = [*finish_reasons]
    return [
        OutputMessage(role="assistant", parts=parts, finish_reason=reasons[index] if index < len(reasons) else None)
        for index, parts in enumerate(all_parts)
    ]


def _choices(content: Content, reply: Any) -> Iterable[list[MessagePart]]:
    typed = member(member(reply, "message"), "parts")
    if isinstance(typed, (list, tuple)):
        yield [*content_parts(content, typed, "output"), *_left_out(content, reply, typed)]
        return
    typed = member(reply, "parts")
    if isinstance(typed, (list, tuple)):
        yield content_parts(content, typed, "output")
        return
    for choice in items_of(member(reply, "choices")):
        message = member(choice, "message")
        yield message_parts(content, choice if message is None else message, "output")
    output = member(reply, "output")
    if isinstance(output, (list, tuple)):
        yield response_parts(content, output, "output")


def _left_out(content: Content, reply: Any, typed: Sequence[Any]) -> list[MessagePart]:
    """Return media and citations that DSPy's own client did not take over from the provider's message."""
    taken = {member(part, "type") for part in typed}
    choices = [*items_of(member(member(reply, "provider_data"), "choices"))]
    if len(choices) != 1 or not taken.isdisjoint(("audio", "citation", "image")):
        return []
    return parts_beside(content, member(choices[0], "message"), "output")


def tool_definitions(content: Content, tools: Any) -> list[ToolDefinition]:
    """Return the tools of a call in OpenAI's shape; descriptions and parameters are content."""
    definitions: list[ToolDefinition] = []
    for tool in items_of(tools):
        function = member(tool, "function")
        source = tool if function is None else function
        name, description = member(source, "name"), member(source, "description")
        if isinstance(name, str):
            definitions.append(
                FunctionToolDefinition(
                    name=name,
                    description=content.text(description, "tool") if isinstance(description, str) else None,
                    parameters=content.value(member(source, "parameters"), "tool"),
                )
            )
    return definitions


def _is_message(value: Any) -> bool:
    return is_mapping(value) or member(value, "role") is not None


def _input_message(content: Content, message: Any) -> InputMessage:
    role = _role(content, member(message, "role") or "user")
    kind: ContentKind = "system" if role in ("system", "developer") else "output" if role == "assistant" else "input"
    if role == "tool" and member(message, "tool_call_id") is not None:
        response = content.value(member(message, "content"), kind)
        identifier = content.text(str(member(message, "tool_call_id")), kind)
        return InputMessage(role=role, parts=[ToolCallResponsePart(response=response, id=identifier)])
    return InputMessage(role=role, parts=message_parts(content, message, kind))


_ROLES = frozenset({"assistant", "developer", "function", "system", "tool", "user"})


def _role(content: Content, role: Any) -> str:
    """Return the role of a message; one that is none of the protocol's is whatever the application put there."""
    return role if isinstance(role, str) and role in _ROLES else content.text(str(role), "input")
