"""The messages of a language model call, from the shapes that DSPy passes around to those of the GenAI conventions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opentelemetry.util.genai.types import (
    FunctionToolDefinition,
    GenericToolDefinition,
    InputMessage,
    OutputMessage,
    TextPart,
)

from ..language_models.reply_values import member
from .budgets import MAX_MARKED, MESSAGE
from .fields import fields_of, first_text, is_kind, is_mapping, says_nothing
from .parts import content_parts, unreadable
from .replies import choices_of, message_parts, parts_of_returned

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from opentelemetry.util.genai.types import MessagePart, ToolDefinition

    from . import Content, ContentKind

__all__ = ["answer_message", "input_messages", "output_messages", "text_message", "tool_definitions"]

MAX_TOOLS = 1_000
"""Tools of one call that are told."""

UNKNOWN_REASON = ""
"""``finish_reason`` of a message whose end nobody told: the schema wants a text, and a viewer may drop all messages
for one that has none. util-genai makes no ``gen_ai.response.finish_reasons`` of it."""


def text_message(role: str, text: str) -> InputMessage:
    """Return a message of one text, which has been treated already."""
    return InputMessage(role=role, parts=[TextPart(content=text)])


def input_messages(content: Content, prompt: Any, messages: Any) -> list[InputMessage]:
    """Return the input of a call that was given a prompt or a list of messages in OpenAI's shape.

    System messages stay in the history, where DSPy's adapters put them: the conventions want them apart only where
    the API takes them apart.
    """
    if is_kind(messages, list, tuple) and len(messages):
        return _by_weight(content, [message for message in messages if not says_nothing(message)])
    if is_kind(prompt, str):
        return [text_message("user", content.text(prompt, "input"))]
    if is_mapping(prompt):
        return [text_message("user", content.json(prompt, "input"))]
    if prompt is None:
        return []
    return [InputMessage(role="user", parts=content_parts(content, prompt, "input"))]


def output_messages(
    content: Content, replies: Iterable[Any], returned: Any, finish_reasons: Sequence[str]
) -> list[OutputMessage]:
    """Return one message for each choice of the replies, as they came; without any, for each that a call returned."""
    try:
        choices = [parts for reply in replies for parts in choices_of(content, reply)]
        choices = choices or parts_of_returned(content, returned)
    except Exception:  # noqa: BLE001 - objects of the application may do anything when they are looked at
        choices = [[unreadable(returned)]]
    reasons = [*finish_reasons]
    return [
        answer_message(parts, reasons[index] if index < len(reasons) else UNKNOWN_REASON)
        for index, parts in enumerate(choices)
    ]


def answer_message(parts: list[MessagePart], finish_reason: str = UNKNOWN_REASON) -> OutputMessage:
    """Return a message of the assistant's."""
    return OutputMessage(role="assistant", parts=parts, finish_reason=finish_reason)


def tool_definitions(content: Content, tools: Any) -> list[ToolDefinition]:
    """Return the tools of a call, in any provider's shape; descriptions and parameters are content."""
    listed = tools[:MAX_TOOLS] if is_kind(tools, list, tuple) else ()
    definitions = (_tool_definition(content, tool) for tool in listed)
    return [definition for definition in definitions if definition is not None]


def _tool_definition(content: Content, tool: Any) -> ToolDefinition | None:
    fields = fields_of(tool)
    if fields is None:
        return None
    nested = next(
        (found for name in ("function", "custom") if (found := fields_of(fields.get(name))) is not None), None
    )
    source = fields if nested is None else nested
    name, tool_type = first_text(source, "name"), first_text(fields, "type")
    parameters = next((source[key] for key in ("parameters", "input_schema", "args") if key in source), None)
    if name is not None and (tool_type in (None, "function") or parameters is not None):
        if content.budget is not None and content.budget.is_exhausted:
            return FunctionToolDefinition(name=content.text(name, "tool"), description=None, parameters=None)
        description = first_text(source, "description", "desc")
        return FunctionToolDefinition(
            name=content.text(name, "tool"),
            description=None if description is None else content.text(description, "tool"),
            parameters=content.value(parameters, "tool"),
        )
    # A tool of the provider's may have no name but its type, or one key that tells both.
    label = name or first_text(fields, "server_label") or tool_type
    if label is None and is_mapping(tool):
        label = next((key for key in tool if isinstance(key, str)), None)
    if label is None:
        return None
    settings = {key: value for key, value in fields.items() if key not in _NO_SETTINGS}
    return ServerToolDefinition(
        name=content.text(label, "tool"),
        type=content.text(tool_type or label, "tool"),
        settings=content.value(settings, "tool") or None,
    )


_NO_SETTINGS = frozenset({"name", "type", "authorization", "headers"})
"""What is told apart from the settings of a tool, or never."""


@dataclass
class ServerToolDefinition(GenericToolDefinition):
    """A tool that the provider runs itself, with what it was given; the conventions allow more than name and type."""

    settings: Any = None


def _by_weight(content: Content, messages: Sequence[Any]) -> list[InputMessage]:
    """Return messages in their order; the system's have what is left first, then the newest, the first at last."""
    budget = content.budget
    if budget is None:
        return [_readable_message(content, message) for message in messages]
    order = sorted(range(len(messages)), key=lambda index: (not _is_system(messages[index]), -index))
    told: dict[int, InputMessage] = {}
    marked = 0
    for index in order:
        marked += budget.is_spent
        if marked > MAX_MARKED:
            break
        read = _marked_message if budget.is_spent else _readable_message
        budget.spend(MESSAGE)
        told[index] = read(content, messages[index])
    left_out = len(messages) - len(told)
    found = [told[index] for index in sorted(told)]
    if left_out:
        before = sum(1 for message in found if message.role in ("system", "developer"))
        found.insert(before, text_message("user", f"… [{left_out} more messages]"))
    return found


def _marked_message(content: Content, message: Any) -> InputMessage:
    """Return a message for which nothing is left: its role, and how much it said; a short one says it."""
    said = member(message, "content")
    if is_kind(said, list, tuple):
        return text_message(_role(content, member(message, "role") or "user"), f"… [{len(said)} more parts]")
    return _readable_message(content, message)


def _is_system(message: Any) -> bool:
    role = member(message, "role")
    return isinstance(role, str) and role in ("system", "developer")


def _readable_message(content: Content, message: Any) -> InputMessage:
    try:
        return _input_message(content, message)
    except Exception:  # noqa: BLE001 - objects of the application may do anything when they are looked at
        return InputMessage(role="user", parts=[unreadable(message)])


def _input_message(content: Content, message: Any) -> InputMessage:
    fields = fields_of(message)
    role = member(message, "role")
    if role is None and (fields is None or _is_block(fields)):
        # One item of the Responses API, or something that is no message.
        called = fields is not None and (first_text(fields, "type") or "").endswith("_call")
        kind: ContentKind = "output" if called else "input"
        return InputMessage(role="assistant" if called else "user", parts=content_parts(content, message, kind))
    role = _role(content, role or "user")
    kind = "system" if role in ("system", "developer") else "output" if role == "assistant" else "input"
    name, identifier = member(message, "name"), member(message, "tool_call_id")
    if role == "tool" and identifier is not None:
        result = {"type": "tool_result", "tool_call_id": identifier, "content": member(message, "content")}
        parts = content_parts(content, result, kind)
    else:
        parts = message_parts(content, message, kind)
    return InputMessage(role=role, parts=parts, name=content.text(name, kind) if isinstance(name, str) else None)


def _is_block(fields: Mapping[str, Any]) -> bool:
    return isinstance(fields.get("type"), str) and "content" not in fields


_ROLES = frozenset({"assistant", "developer", "function", "system", "tool", "user"})


def _role(content: Content, role: Any) -> str:
    """Return the role of a message; one that is none of the protocol's is whatever the application put there."""
    if is_kind(role, str):
        return role if role in _ROLES else content.text(role, "input")
    return content.json(role, "input")
