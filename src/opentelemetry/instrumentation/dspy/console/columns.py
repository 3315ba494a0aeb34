"""Texts as a terminal shows them: how many columns they take, and where they can be broken."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["clusters", "columns_of", "cut", "ending", "narrowed", "printable", "wrapped"]

_GUIDE = 3
"""Columns of one level of a tree's guides."""

_INVISIBLE = frozenset({"Cf", "Me", "Mn"})
"""Categories of characters that stand on the one before, or are none to see."""

_JOINER: Final = "\u200d"
_NON_JOINER: Final = "\u200c"
_AS_EMOJI: Final = "\ufe0f"
"""Variation selector 16: the character before it is shown as an emoji, two columns wide."""
_INFORMATION: Final = "\u2139"
"""The one letter that has an emoji, as far as Unicode is concerned."""
_SKIN_TONES: Final = range(0x1F3FB, 0x1F400)
_FLAG_LETTERS: Final = range(0x1F1E6, 0x1F200)
_JAMO_INSIDE: Final = range(0x1160, 0x1200)
"""Vowels and final consonants of Hangul, which go into the block that their first consonant begins."""


def printable(text: str) -> str:
    """Return ``text`` without anything that moves the cursor or turns the direction of the line.

    Line ends, tabs and control characters are blanks; so an escape sequence is a few letters and no sequence. Marks
    of direction are left out. What joins letters and emoji is kept: they would be other ones without it.
    """
    return text if text.isascii() and text.isprintable() else "".join(map(_printable, text))


def _printable(character: str) -> str:
    if character.isprintable() or character in (_JOINER, _NON_JOINER):
        return character
    return "" if unicodedata.category(character) == "Cf" else " "


def columns_of(text: str) -> int:
    """Return the terminal columns of a text: two for wide characters, none for combining and invisible ones."""
    return len(text) if text.isascii() else sum(columns for _, columns in clusters(text))


def clusters(text: str) -> Iterator[tuple[str, int]]:
    """Give out what a reader sees as one character each, with its columns.

    Those are the rules of terminals that know emoji: joined ones are one picture, as is one with its skin tone, and
    a sign that is to be shown as an emoji takes two columns.
    """
    cluster, columns = "", 0
    for character in text:
        more = _columns_added(character, cluster, columns)
        if more is not None:
            cluster, columns = cluster + character, columns + more
            continue
        yield cluster, columns
        cluster, columns = character, _columns(character)
    if cluster:
        yield cluster, columns


def _columns_added(character: str, cluster: str, columns: int) -> int | None:
    """Return what a character adds to the columns of the cluster before it; None if it begins one of its own."""
    if not cluster:
        return _columns(character)
    if character == _AS_EMOJI:
        return int(columns == 1 and (not cluster[0].isalpha() or cluster[0] == _INFORMATION))
    if _columns(character) == 0:
        return 0
    if len(cluster) == 1 and ord(cluster) in _FLAG_LETTERS and ord(character) in _FLAG_LETTERS:
        return 1
    if not _is_picture(cluster[0]):
        return None
    if ord(character) in _SKIN_TONES:
        return int(columns == 1)
    return 0 if cluster[-1] == _JOINER and _is_picture(character) else None


def _is_picture(character: str) -> bool:
    return unicodedata.category(character) in ("So", "Sm")


def _columns(character: str) -> int:
    if " " <= character <= "~":
        return 1
    if unicodedata.category(character) in _INVISIBLE or unicodedata.combining(character):
        return 0
    if ord(character) in _JAMO_INSIDE:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, width: int) -> str:
    """Return as much of the beginning of a text as so many columns hold."""
    if columns_of(text) <= width:
        return text
    kept, taken = [], 0
    for cluster, columns in clusters(text):
        if taken + columns > width:
            break
        kept.append(cluster)
        taken += columns
    return "".join(kept)


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


def ending(text: str, width: int) -> str:
    """Return as many of the last words of a text as so many columns hold, or the end of a longer word."""
    kept: list[str] = []
    for word in reversed(text.split()):
        room = width - columns_of(" ".join(kept)) - bool(kept)
        if columns_of(word) > room:
            return " ".join(kept) or _end_of(word, width)
        kept.insert(0, word)
    return " ".join(kept)


def _end_of(word: str, width: int) -> str:
    start = len(word)
    for cluster, columns in reversed(list(clusters(word))):
        if columns > width:
            break
        start, width = start - len(cluster), width - columns
    return word[start:]


def _pieces(word: str, width: int) -> list[str]:
    pieces, piece, taken = [], "", 0
    for cluster, columns in clusters(word):
        if piece and taken + columns > width:
            pieces.append(piece)
            piece, taken = "", 0
        piece, taken = piece + cluster, taken + columns
    return [*pieces, piece]


def narrowed(guides: str, columns: int) -> str:
    """Return a tree's guides with so many columns for each level, of three, so that all rows keep their places."""
    levels = [guides[start : start + _GUIDE] for start in range(0, len(guides), _GUIDE)]
    return "".join(level[:columns] for level in levels)
