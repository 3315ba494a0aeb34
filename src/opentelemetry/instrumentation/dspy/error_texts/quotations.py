"""Known values, cut out of a text wherever it quotes one: in part or in whole, escaped, and in capitals or not.

The work is bounded whatever the text and the values are: each character of them is looked at a few times. Where there
is more than that to compare, nothing is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .readings import SEPARATOR, Reading, lowered, reading_of
from .short_values import ShortValues

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

__all__ = ["LEFT_OUT", "RUN", "without_runs", "without_values"]

RUN = 12
"""So many characters in a row that are also in a value are a quotation of it."""

GRAM = 6
"""Characters by which values are looked up; of each quotation one such piece lies at a multiple of ``STRIDE``."""

STRIDE = RUN - GRAM + 1

MAX_CHARACTERS = 4_000_000
"""Characters of values that one text is compared with."""

MAX_LIKE = 100_000
"""Pieces of values that begin like a quotation and are looked at closer."""

MAX_WHOLE = 64
"""Values that are looked for as a whole, to be told by their length."""

LEFT_OUT = "…"


def without_values(
    text: str, values: Iterable[str], names: Collection[str] = (), *, by_word: bool = True, margin: int = 0
) -> str:
    """Return a text without the values, and without what it quotes of them; ``LEFT_OUT`` where they are too many.

    ``by_word`` cuts the words of short values too, but for common ones and ``names``. The last ``margin`` characters
    are compared and not returned.
    """
    if not text:
        return text
    known = {*values}
    if sum(map(len, known)) > MAX_CHARACTERS:
        return LEFT_OUT
    long_ones = sorted((value for value in known if len(value) >= RUN), key=len)
    reading = reading_of(text)
    runs, whole = _common_runs(reading, long_ones)
    if runs is None:
        return LEFT_OUT
    # The longest first: a short value that is cut out of a long one leaves pieces of it that look like nothing.
    for value in () if margin else reversed(whole[-MAX_WHOLE:]):
        if value in text:
            text = text.replace(value, f"[{len(value)} characters]")
            reading = reading_of(text)
    quoted = bytearray(len(text))
    _mark_runs(quoted, reading, runs)
    ShortValues(known, names, by_word=by_word).mark(quoted, reading)
    kept = max(0, len(text) - margin)
    return _without_marked(text[:kept], quoted[:kept])


def without_runs(text: str, runs: Collection[str]) -> str:
    """Return a text without what belongs to one of the runs, each of ``RUN`` characters."""
    quoted = bytearray(len(text))
    for run in runs:
        start = text.find(run)
        while start >= 0:
            quoted[start : start + len(run)] = b"\1" * len(run)
            start = text.find(run, start + 1)
    return _without_marked(text, quoted)


def _common_runs(reading: Reading, values: list[str]) -> tuple[set[str] | None, list[str]]:
    """Return all runs of the text that are in a value too, ``None`` where they are too many, and those values."""
    text = reading.text
    windows = {text[start : start + RUN] for start in range(len(text) - RUN + 1)}
    grams = {text[start : start + GRAM] for start in range(len(text) - GRAM + 1)}
    runs: set[str] = set()
    found: list[str] = []
    left = MAX_LIKE
    before, after = SEPARATOR * (RUN - GRAM), SEPARATOR * RUN
    for value in values if windows else ():
        padded = f"{before}{lowered(value)}{after}"
        # Each with what may belong to the same run before and after it; a set, since repetitions are one.
        like = {
            padded[start : start + STRIDE + RUN - 1]
            for start in range(0, len(value), STRIDE)
            if padded[start + RUN - GRAM : start + RUN] in grams
        }
        left -= len(like)
        if left < 0:
            return None, []
        common = {piece[start : start + RUN] for piece in like for start in range(STRIDE)} & windows
        if common:
            runs |= common
            found.append(value)
    return {run for run in runs if SEPARATOR not in run}, found


def _mark_runs(quoted: bytearray, reading: Reading, runs: set[str]) -> None:
    text, places = reading.text, reading.places
    for start in range(len(text) - RUN + 1) if runs else ():
        if text[start : start + RUN] in runs:
            first, last = places[start], places[start + RUN]
            quoted[first:last] = b"\1" * (last - first)


def _without_marked(text: str, quoted: bytearray) -> str:
    kept: list[str] = []
    for character, is_quoted in zip(text, quoted, strict=True):
        if not is_quoted:
            kept.append(character)
        elif not kept or kept[-1] != "…":
            kept.append("…")
    return "".join(kept)
