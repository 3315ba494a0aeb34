"""A text as it stands and as it reads decoded, each character with its place: a value may be quoted in escapes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SEPARATOR", "Reading", "lowered", "reading_of"]

SEPARATOR = "\x00"

_ESCAPES = re.compile(
    r"(?:\\x[0-9a-fA-F]{2})+|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|"
    r"\\U000[0-9a-fA-F]{5}|\\[nrtabfv'\"\\/]"
)
_PERCENT = re.compile(r"(?:%[0-9a-fA-F]{2})+")
_SIMPLE = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


@dataclass(frozen=True, slots=True)
class Reading:
    """Characters, and the place of each in the text that they were read from, with the place after the last one."""

    text: str
    places: list[int]


def reading_of(text: str) -> Reading:
    """Return a text in small letters in all the ways in which it can be read, one after the other."""
    plain = Reading(text, [*range(len(text) + 1)])
    readings = [plain]
    latest = plain
    while "\\" in latest.text and len(readings) < 3:  # an escaped text is quoted in another one
        latest = _decoded(latest, _ESCAPES, _unescaped)
        readings.append(latest)
    if "%" in text:
        readings.append(_decoded(plain, _PERCENT, lambda found: unquote(found, errors="replace")))
    if "+" in text:
        readings.append(Reading(readings[-1].text.replace("+", " "), readings[-1].places))
    return Reading(
        SEPARATOR.join(lowered(reading.text) for reading in readings) + SEPARATOR,
        [place for reading in readings for place in reading.places],
    )


def lowered(text: str) -> str:
    """Return a text in small letters, each character in its place: a few have two in the place of a capital."""
    small = text.lower()
    if len(small) == len(text):
        return small
    return "".join(each if len(each := character.lower()) == 1 else character for character in text)


def _decoded(reading: Reading, pattern: re.Pattern[str], decode: Callable[[str], str]) -> Reading:
    pieces: list[str] = []
    places: list[int] = []
    end = 0
    for found in pattern.finditer(reading.text):
        start, decoded = found.start(), decode(found.group())
        pieces += (reading.text[end:start], decoded)
        places += reading.places[end:start]
        width, end = found.end() - start, found.end()
        places += (reading.places[start + width * index // len(decoded)] for index in range(len(decoded)))
    pieces.append(reading.text[end:])
    places += reading.places[end:]
    return Reading("".join(pieces), places)


def _unescaped(escape: str) -> str:
    kind = escape[1]
    if kind == "x":
        encoded = bytes.fromhex(escape.replace("\\x", ""))
        try:
            return encoded.decode()
        except UnicodeDecodeError:
            return encoded.decode("latin-1")
    if kind == "u":
        encoded = bytes.fromhex(escape.replace("\\u", ""))
        return encoded.decode("utf-16-be", errors="replace") or "?"
    if kind == "U":
        return chr(int(escape.removeprefix("\\U"), 16))
    return _SIMPLE.get(kind, kind)
