"""Texts as a terminal shows them: how many columns they take, and where they can be broken."""

from __future__ import annotations

import unicodedata

__all__ = ["columns_of", "narrowed", "wrapped"]

_GUIDE = 3
"""Columns of one level of a tree's guides."""

_INVISIBLE = frozenset({"Cf", "Me", "Mn"})
"""Categories of characters that stand on the one before, or are none to see."""


def columns_of(text: str) -> int:
    """Return the terminal columns of a text: two for wide characters, none for combining and invisible ones."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.category(character) in _INVISIBLE or unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def wrapped(text: str, width: int) -> list[str]:
    """Return the lines of a text of at most so many columns, broken between words where that can be."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if columns_of(longer) <= width:
            line = longer
            continue
        if line:
            lines.append(line)
        *full, line = _pieces(word, width)
        lines.extend(full)
    return [*lines, line] if line else lines


def _pieces(word: str, width: int) -> list[str]:
    pieces, piece, taken = [], "", 0
    for character in word:
        columns = _columns(character)
        if piece and taken + columns > width:
            pieces.append(piece)
            piece, taken = "", 0
        piece, taken = piece + character, taken + columns
    return [*pieces, piece]


def narrowed(guides: str, columns: int) -> str:
    """Return a tree's guides with so many columns for each level, of three, so that all rows keep their places."""
    levels = [guides[start : start + _GUIDE] for start in range(0, len(guides), _GUIDE)]
    return "".join(level[:columns] for level in levels)
