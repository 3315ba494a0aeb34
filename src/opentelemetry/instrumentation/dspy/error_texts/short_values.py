"""Values, and words of values, that are too short to be known for quotations by their length alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .common_words import COMMON_WORDS, PROTOCOL_WORDS
from .readings import lowered, reading_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from .readings import Reading

__all__ = ["ShortValues", "words_of"]

ALONE = 3
"""Characters from which on a value is cut where it stands between others than letters and digits."""

ANYWHERE = 4
"""Characters from which on it is cut also inside of other words."""

LONGEST = 11
"""What is longer is a quotation."""

MAX_BY_WORD = 400
"""Characters of a value that is cut word by word: the words of a long text are those of the language."""

MAX_WORD = 40
"""Characters before and after a value that are looked at for the word that it lies in."""

_WORD = re.compile(r"[^\W_]{3,}")

_QUOTES = frozenset("'\"`")


def words_of(values: Iterable[str], names: Collection[str] = ()) -> set[str]:
    """Return the words, in small letters, that tell something of the values."""
    spared = {name.lower() for name in names}
    found = {*_WORD.findall(lowered("\n".join(value for value in values if len(value) <= MAX_BY_WORD)))}
    return found - COMMON_WORDS - PROTOCOL_WORDS - spared


class ShortValues:
    """Values that are too short to be quotations, and the words of those that are not long."""

    __slots__ = ("_lengths", "_spared", "_starts", "_texts")

    def __init__(self, values: Collection[str], names: Collection[str], *, by_word: bool = True) -> None:
        texts = {lowered(value) for value in values if len(value) <= LONGEST}
        if by_word:
            texts |= {word for word in words_of(values, names) if len(word) <= LONGEST}
        texts.discard("")
        self._texts = texts
        self._starts = {text[:ALONE] for text in texts if len(text) >= ALONE}
        self._lengths = sorted({len(text) for text in texts}, reverse=True)
        self._spared = COMMON_WORDS | PROTOCOL_WORDS | {name.lower() for name in names}

    def are_not_in(self, text: str) -> bool:
        """Return whether a text has none of them, and is none."""
        quoted = bytearray(len(text))
        self.mark(quoted, reading_of(text))
        return not any(quoted) and lowered(text) not in self._texts

    def mark(self, quoted: bytearray, reading: Reading) -> None:
        """Mark where a text has one of them."""
        text, places = reading.text, reading.places
        end = 0
        for start in range(len(text)) if self._texts else ():
            if start < end:
                continue
            for stop in self._ends(text, start):
                first, last = places[start], places[stop]
                quoted[first:last] = b"\1" * max(0, last - first)
                end = stop
                break

    def _ends(self, text: str, start: int) -> Iterator[int]:
        """Yield where something ends that begins here and is to be cut, the longest first."""
        in_quotes = start > 0 and text[start - 1] in _QUOTES
        if not in_quotes and text[start : start + ALONE] not in self._starts:
            return
        for length in self._lengths:
            stop = start + length
            if text[start:stop] in self._texts and (
                (in_quotes and text[stop : stop + 1] == text[start - 1])
                or (length >= ALONE and self._is_cut(text, start, stop))
            ):
                yield stop

    def _is_cut(self, text: str, start: int, stop: int) -> bool:
        before, after = text[start - 1 : start], text[stop : stop + 1]
        if not (before.isalnum() or after.isalnum() or before == "_" or after == "_"):
            return True
        first, last = _extent(text, start, stop)
        if text[first:last] in self._spared:
            return False
        word_first, word_last = _extent(text, start, stop, joined=False)
        if (word_first, word_last) == (start, stop):
            return True
        return stop - start >= ANYWHERE and not {text[start:stop], text[word_first:word_last]} & self._spared


def _extent(text: str, start: int, stop: int, *, joined: bool = True) -> tuple[int, int]:
    """Return where the word begins and ends that a piece of text lies in, or with ``joined`` the name in code."""
    least, most = max(0, start - MAX_WORD), min(len(text), stop + MAX_WORD)
    while start > least and _goes_on(text[start - 1], joined):
        start -= 1
    while stop < most and _goes_on(text[stop], joined):
        stop += 1
    return start, stop


def _goes_on(character: str, joined: bool) -> bool:
    return character.isalnum() or (joined and character == "_")
