"""Source lines that are code alone: those of a text that goes on over several lines hold a part of it.

Such a text cannot be told from code by one of its lines, so the whole file is looked through, once.
"""

from __future__ import annotations

import linecache
import re

__all__ = ["is_in_text"]

MAX_CHARACTERS = 2_000_000
"""Characters of a file that is looked through; of a longer one no line is told."""

MAX_FILES = 256
"""Files of which it is known where their texts are."""

_COMMENT_OR_TEXT = re.compile(
    r"""
    \#[^\n]*
    | \"\"\"(?:[^"\\]|\\.|"(?!""))*(?:\"\"\"|\Z)
    | '''(?:[^'\\]|\\.|'(?!''))*(?:'''|\Z)
    | "(?:[^"\\\n]|\\.)*(?:"|\n|\Z)
    | '(?:[^'\\\n]|\\.)*(?:'|\n|\Z)
    """,
    re.DOTALL | re.VERBOSE,
)
"""What begins on a line and does not end there is one of several lines, or a part of one within a part of another."""

_known: dict[str, tuple[tuple[object, ...], frozenset[int] | None]] = {}


def is_in_text(file_name: str, number: int) -> bool:
    """Return whether a line of a file belongs to a text of several lines, also where nobody can know."""
    lines = linecache.getlines(file_name)
    if not 1 <= number <= len(lines):
        return True
    # Code of a program in a notebook has no time, and may be another one of the same size.
    stamp = (*linecache.cache[file_name][:2], id(lines))
    known = _known.get(file_name)
    if known is None or known[0] != stamp:
        known = stamp, _lines_of_texts("".join(lines))
        if len(_known) >= MAX_FILES:
            _known.clear()
        _known[file_name] = known
    return known[1] is None or number in known[1]


def _lines_of_texts(source: str) -> frozenset[int] | None:
    if len(source) > MAX_CHARACTERS:
        return None
    found: set[int] = set()
    number, counted = 1, 0
    for match in _COMMENT_OR_TEXT.finditer(source):
        text = match.group()
        if "\n" not in text:
            continue
        number += source.count("\n", counted, match.start())
        counted = match.start()
        # A line end that a text was cut off at is that of its own line.
        found.update(range(number, number + 1 + text.rstrip("\n").count("\n")))
    return frozenset(found)
