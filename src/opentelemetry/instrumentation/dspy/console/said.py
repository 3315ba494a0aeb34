"""Messages of the GenAI conventions as a few short texts: what came last, and what was answered."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from ..amounts import count_words

__all__ = ["Said", "plain", "said_before", "said_in_reply", "texts_of"]

_PROMPT_LINES: Final = 3
_REPLY_LINES: Final = 4
_MOST_MESSAGES: Final = 3
_LONGEST: Final = 4_000
"""Characters of a value that are looked at: more than its lines hold in any terminal."""

_FIELD: Final = re.compile(r"\[\[ ## (\w+) ## \]\]")
_END: Final = "completed"
_HOW_TO_ANSWER: Final = re.compile(r"\n\s*Respond with (?:the corresponding output fields|a JSON object)[^\n]*\s*\Z")
"""How DSPy's adapters mark fields and end a prompt (``dspy/adapters/chat_adapter.py``, ``json_adapter.py``): three
quarters of a short prompt's lines would say nothing else."""


@dataclass(frozen=True, slots=True)
class Said:
    """Who says what, in so many lines at most; of a longer text its beginning, or with ``tail`` its end too."""

    label: str
    text: str
    lines: int
    tail: bool = False


def plain(value: Any) -> str:
    """Return a value as a person reads it: a text as it is, the rest as JSON."""
    if isinstance(value, str):
        return value[:_LONGEST]
    try:
        return json.dumps(value, ensure_ascii=False, default=str)[:_LONGEST]
    except (ValueError, RecursionError):
        return str(type(value).__name__)


def said_before(messages: Any) -> list[Said]:
    """Return what a call of a language model was asked last: the user's message, or the results of tools.

    Earlier messages are counted, the system's are neither counted nor shown: they are the same in each call.
    """
    if not isinstance(messages, list):
        return _unread("user", messages, _PROMPT_LINES)
    asked = [message for message in messages if isinstance(message, dict) and message.get("role") != "system"]
    start = len(asked)
    while start > 0 and asked[start - 1].get("role") != "assistant" and len(asked) - start < _MOST_MESSAGES:
        start -= 1
    last = asked[start:] or asked[-1:]
    before = len(asked) - len(last)
    earlier = [Said("…", f"{count_words(before, 'message')} before", 1)] if before else []
    return [*earlier, *(said for message in last for said in _of_message(message, _PROMPT_LINES))]


def said_in_reply(messages: Any) -> list[Said]:
    """Return what a language model answered, each of its choices."""
    if not isinstance(messages, list):
        return _unread("assistant", messages, _REPLY_LINES)
    choices = [message for message in messages if isinstance(message, dict)]
    more = len(choices) - _MOST_MESSAGES
    left_out = [Said("…", count_words(more, "more reply", "more replies"), 1)] if more > 0 else []
    return [*(said for message in choices[:_MOST_MESSAGES] for said in _of_message(message, _REPLY_LINES)), *left_out]


def texts_of(messages: Any) -> list[str]:
    """Return the texts of messages, whole."""
    parts = [
        part
        for message in (messages if isinstance(messages, list) else [])
        for part in (message.get("parts") or [] if isinstance(message, dict) else [])
    ]
    return [str(part.get("content", "")) for part in parts if isinstance(part, dict) and part.get("type") == "text"]


def _unread(role: str, text: Any, lines: int) -> list[Said]:
    # A limit of the SDK's for attributes cuts JSON in the middle: what is left is text.
    return [] if text is None else [Said(role, plain(text), lines)]


def _without_markup(text: str) -> str:
    """Return a text of DSPy's adapters with ``question:`` for its marks, and without what it says to each model."""
    text = _HOW_TO_ANSWER.sub("", text)
    return _FIELD.sub(lambda mark: "" if mark[1] == _END else f"{mark[1]}:", text)


def _of_message(message: dict[str, Any], lines: int) -> list[Said]:
    role = str(message.get("role", "")) or "message"
    parts = message.get("parts")
    said = []
    for part in parts if isinstance(parts, list) else [message.get("content", "")]:
        words = _of_part(part)
        if words.strip():
            is_thought = isinstance(part, dict) and part.get("type") == "reasoning"
            said.append(Said("thinks" if is_thought else role, words, 1 if is_thought else lines, tail=not is_thought))
    return said


def _of_part(part: Any) -> str:
    if not isinstance(part, dict):
        return plain(part)
    kind = str(part.get("type", "part"))
    if kind in ("text", "reasoning"):
        content = part.get("content", "")
        return _without_markup(content) if isinstance(content, str) else plain(content)
    if kind == "tool_call":
        return f"calls {part.get('name', 'a tool')} {plain(part.get('arguments', ''))}"
    if kind == "tool_call_response":
        return plain(part.get("response", part.get("result", "")))
    told = ", ".join(str(part[name]) for name in ("modality", "mime_type", "name", "uri") if part.get(name))
    return f"[{kind}: {told}]" if told else f"[{kind}] {plain(part.get('content', ''))}".rstrip()
