"""A piece of a trace as lines: the tree on the left, the figures in columns, remarks on the right."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Callable
from typing import Final

from opentelemetry.trace import format_trace_id

from .console_pending import Piece
from .console_rows import Row, rows_of
from .console_tree import Summary
from .console_words import Part, count_words, duration_words, error_words, tidy, total_words

__all__ = ["Line", "characters_for", "lines_of"]

Line = list[Part]
Characters = Callable[[str], str]

_WIDEST_NAME: Final = 88
_NARROWEST_NAME: Final = 24
_WIDEST_NOTES: Final = 40
_MOST_MESSAGE_LINES: Final = 3
_GAP: Final = Part("  ")
_ASCII: Final = str.maketrans(
    {"├": "|", "└": "`", "│": "|", "─": "-", "…": "...", "→": "->", "Σ": "sum", "µ": "u", "·": "-", "✗": "x", "–": "-"}
)
_NOT_ASCII: Final = "".join(chr(code) for code in _ASCII)


def characters_for(encoding: str) -> Characters:
    """Return what makes a text writable in ``encoding``: itself, or ASCII for the tree and escapes for the rest."""
    try:
        _NOT_ASCII.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return lambda text: text.translate(_ASCII).encode("ascii", "backslashreplace").decode("ascii")
    return lambda text: text.encode(encoding, "backslashreplace").decode(encoding)


def lines_of(piece: Piece, *, characters: Characters, width: int | None, max_children: int) -> list[Line]:
    """Return the lines of one piece of a trace, without line ends.

    ``width`` is in terminal columns; None means that lines may be as long as they like. A piece in which no span is a
    DSPy or GenAI span becomes one line for each of its roots: a web server's health checks must not push the rest away.
    """
    summary = Summary()
    for root in piece.roots:
        summary.add(root.summary)
    if not summary.genai_spans:
        return [line for root in piece.roots for line in _compact(piece, root, characters, width)]
    rows = rows_of(piece.roots, max_children=max_children, under_header=piece.kind != "complete")
    body = _table(rows, characters, width)
    if piece.kind == "complete":
        return [*body, *_flow(_total(piece, summary), characters, width)]
    return [*_flow(_header(piece, summary), characters, width), *body]
