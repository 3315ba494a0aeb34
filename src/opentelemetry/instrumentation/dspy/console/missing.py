"""Content that one side asks for and the other does not: said once, with what to do about it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from opentelemetry.util.genai.environment_variables import OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT

from ..config import CONSOLE
from ..notices.first_call import LATE_OPTIONS
from ..notices.lines import is_told, tell
from .contents import has_content
from .tree import is_lm_call

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .pending import Piece
    from .tree import Node

__all__ = ["carries_content", "missing_words", "tell_of_hidden_content", "tell_of_late_content"]

_HIDDEN = "content is not printed"


def carries_content(piece: Piece) -> bool | None:
    """Whether any span of a piece carries content; None where no language model was called, so that none need."""
    calls = False
    for node in _nodes(piece):
        if has_content(node):
            return True
        calls = calls or is_lm_call(node.span)
    return False if calls else None


def _nodes(piece: Piece) -> Iterator[Node]:
    waiting = list(piece.roots)
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(node.children)


def tell_of_hidden_content(piece: Piece) -> None:
    """Tell, on standard error, that spans carry prompts and replies which nobody has asked to be printed.

    Whoever has set the option, to ``tree`` for instance, or an argument of the exporter, has said what to print.
    """
    if not is_told(_HIDDEN) and not os.environ.get(CONSOLE, "").strip() and carries_content(piece):
        tell(
            _HIDDEN,
            f"prompts and replies are recorded, and dspy_console prints none of them. Set {CONSOLE}=content to see "
            f"them, or {CONSOLE}=tree to be told no more.",
        )


def tell_of_late_content(piece: Piece) -> None:
    """Tell, on standard error, that content was asked for, and not in time: trees without it look as they did."""
    name = OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT
    mode = os.environ.get(name, "").strip().upper()
    if mode in ("SPAN_ONLY", "SPAN_AND_EVENT") and not is_told(LATE_OPTIONS) and carries_content(piece) is False:
        tell(
            LATE_OPTIONS,
            f"{name} is {mode}, and spans carry no prompts and replies: it was set after DSPy was instrumented, or the "
            "log says why nothing is recorded. Set it before; in a notebook, %reload_ext "
            "opentelemetry.instrumentation.dspy reads it again.",
        )


def missing_words() -> str:
    """Return what is the matter and which variable to set."""
    name = OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT
    mode = os.environ.get(name, "").strip().upper()
    asked = f"{CONSOLE} asks for prompts and replies, and no span carries any"
    remedy = f"Set {name}=SPAN_ONLY, or SPAN_AND_EVENT, and start the program again."
    if mode in ("SPAN_ONLY", "SPAN_AND_EVENT"):
        return (
            f"{asked}, though {name} is {mode}. It has to be set before DSPy is instrumented; if it was, the log of "
            "the program says why nothing is recorded, such as a redaction that cannot be loaded."
        )
    if mode == "EVENT_ONLY":
        return f"{asked}: {name} is EVENT_ONLY, which puts them on log events alone. {remedy}"
    state = "is not set" if not mode else f"is {mode}"
    return f"{asked}: {name} {state}, so nothing of what the program says is recorded. {remedy}"
