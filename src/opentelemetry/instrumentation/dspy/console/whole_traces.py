"""Spans of whole traces, all of them at hand, as the text that the console prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .characters import characters_for
from .folds import View
from .lines import lines_of
from .pending import Piece
from .tree import build_tree, context_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opentelemetry.sdk.trace import ReadableSpan

__all__ = ["pieces_of", "tree_text"]


def pieces_of(spans: Iterable[ReadableSpan]) -> list[Piece]:
    """Return one piece for each span whose parent is not among the spans, with all that is below it, by start time."""
    by_id = {context_of(span).span_id: span for span in spans}
    children: dict[int, list[ReadableSpan]] = {}
    heads = []
    for span in by_id.values():
        if span.parent is not None and span.parent.span_id in by_id:
            children.setdefault(span.parent.span_id, []).append(span)
        else:
            heads.append(span)
    heads.sort(key=lambda span: span.start_time or 0)
    return [Piece(context_of(head).trace_id, "complete", [build_tree(head, children, {})[0]]) for head in heads]


def tree_text(spans: Iterable[ReadableSpan], *, times: bool, content: bool, width: int | None) -> str:
    """Return traces as text, one below the other, with a line end behind each line."""
    view = View(content=content, times=times)
    lines = []
    for piece in pieces_of(spans):
        lines.extend(lines_of(piece, characters=characters_for("utf-8"), width=width, view=view))
    return "".join("".join(part.text for part in line) + "\n" for line in lines)
