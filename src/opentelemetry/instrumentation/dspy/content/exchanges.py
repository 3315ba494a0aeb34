"""What a workflow or an agent was asked and what it answered, as somebody who reads a list of them wants it.

One text is itself; several values, or one that is no text, are JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.util.genai.types import TextPart

from ..reading import is_kind
from ..secrets import is_secret_name
from .messages import answer_message, text_message

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.util.genai.types import InputMessage, OutputMessage

    from . import Content, ContentKind

__all__ = ["input_message", "output_message"]

STOPPED = "stop"
"""``finish_reason`` of what returned by itself."""


def input_message(content: Content, arguments: Mapping[str, Any]) -> InputMessage:
    """Return the arguments of a call as the user's message."""
    return text_message("user", _text_of(content, arguments, "input"))


def output_message(content: Content, answer: Any, fields: Mapping[str, Any] | None) -> OutputMessage:
    """Return what a call returned as the assistant's message; ``fields`` are those of a prediction."""
    if fields is not None:
        text = _text_of(content, fields, "output")
    else:
        text = content.text(answer, "output") if is_kind(answer, str) else content.json(answer, "output")
    return answer_message([TextPart(content=text)], STOPPED)


def _text_of(content: Content, fields: Mapping[str, Any], kind: ContentKind) -> str:
    if len(fields) == 1:
        [(name, value)] = fields.items()
        # What a secret is called is all that tells it, so its name has to stand beside it.
        if is_kind(value, str) and not is_secret_name(name):
            return content.text(value, kind)
    return content.named_json(fields, kind)
