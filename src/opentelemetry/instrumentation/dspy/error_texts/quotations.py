"""Known values, cut out of a text wherever it quotes one: in part or in whole, escaped, and in capitals or not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

__all__ = ["RUN", "without_runs", "without_values"]

RUN = 12
"""So many characters in a row that are also in a value are a quotation of it."""

SHORTEST = 3
"""A value of fewer characters is cut only where it stands in quotes."""

GRAM = 6
"""Characters of a text by which it is looked up; of each quotation one such piece lies at a multiple of ``STRIDE``."""

STRIDE = RUN - GRAM + 1

MAX_CHARACTERS = 2_000_000
"""Characters of values that one text is compared with, the shortest values first."""


def without_values(text: str, values: Iterable[str]) -> str:
    """Return a text without the values, and without what it quotes of them."""
    forms = sorted({form for value in values if value for form in _forms(value, text)}, key=len)
    long_ones = [form for form in forms if len(form) >= RUN]
    # The longest first: a short value that is cut out of a long one leaves pieces of it that look like nothing.
    for form in reversed(long_ones):
        if form in text:
            text = text.replace(form, f"[{len(form)} characters]")
    text = _without_quotations(text, long_ones)
    for form in reversed(forms):
        if len(form) < RUN:
            text = _without_short(text, form)
    return text


def without_runs(text: str, runs: Collection[str]) -> str:
    """Return a text without what belongs to one of the runs, each of ``RUN`` characters."""
    quoted = bytearray(len(text))
    for run in runs:
        start = text.find(run)
        while start >= 0:
            quoted[start : start + len(run)] = b"\1" * len(run)
            start = text.find(run, start + 1)
    return _without_marked(text, quoted)


def _forms(value: str, text: str) -> Iterator[str]:
    """Yield a value as it may stand in a text; only those forms that differ by what the text has are made."""
    yield value
    if "\\" in text:
        yield repr(value)[1:-1]
        yield json.dumps(value)[1:-1]
        yield json.dumps(value, ensure_ascii=False)[1:-1]
        yield repr(value.encode(errors="replace"))[2:-1]
    if "%" in text:
        yield quote(value, safe="", errors="replace")
        yield quote(value, errors="replace")
    if "+" in text:
        yield quote_plus(value, errors="replace")


def _without_quotations(text: str, forms: Iterable[str]) -> str:
    """Cut each run of ``RUN`` or more characters that a form has too, in capitals or not."""
    lowered = _lowered(text)
    places: dict[str, list[int]] = {}
    for place in range(len(lowered) - GRAM + 1):
        places.setdefault(lowered[place : place + GRAM], []).append(place)
    quoted = bytearray(len(text))
    left = MAX_CHARACTERS if places else 0
    for form in forms:
        looked_through = _lowered(form[:left])
        left -= len(looked_through)
        for start in range(0, len(looked_through) - GRAM + 1, STRIDE):
            for place in places.get(looked_through[start : start + GRAM], ()):
                if not quoted[place]:
                    _mark(quoted, lowered, place, looked_through, start)
    return _without_marked(text, quoted)


def _mark(quoted: bytearray, text: str, place: int, form: str, start: int) -> None:
    """Mark what a text and a form have in common around two places, if it is long enough."""
    before = 0
    while before < min(place, start) and text[place - before - 1] == form[start - before - 1]:
        before += 1
    after, most = GRAM, min(len(text) - place, len(form) - start)
    while after < most and text[place + after] == form[start + after]:
        after += 1
    if before + after >= RUN:
        quoted[place - before : place + after] = b"\1" * (before + after)


def _without_marked(text: str, quoted: bytearray) -> str:
    kept: list[str] = []
    for character, is_quoted in zip(text, quoted, strict=True):
        if not is_quoted:
            kept.append(character)
        elif not kept or kept[-1] != "…":
            kept.append("…")
    return "".join(kept)


def _without_short(text: str, word: str) -> str:
    for mark in ("'", '"', "`"):
        text = text.replace(f"{mark}{word}{mark}", f"{mark}…{mark}")
    return _without_word(text, _lowered(word)) if len(word) >= SHORTEST else text


def _without_word(text: str, word: str) -> str:
    start = _lowered(text).find(word)
    while start >= 0:
        end = start + len(word)
        before, after = text[start - 1 : start], text[end : end + 1]
        if not (before.isalnum() or after.isalnum() or before == "_" or after == "_"):
            text = f"{text[:start]}…{text[end:]}"
            end = start + 1
        start = _lowered(text).find(word, end)
    return text


def _lowered(text: str) -> str:
    """Return a text in small letters, each character in its place: a few have two in the place of a capital."""
    lowered = text.lower()
    return (
        lowered
        if len(lowered) == len(text)
        else "".join(small if len(small := character.lower()) == 1 else character for character in text)
    )
