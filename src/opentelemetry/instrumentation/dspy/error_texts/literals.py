"""Literals: in lines of source and in what a server says. They are told apart first, from left to right, and then each
is told or left out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["without_literals", "without_prose"]

LONGEST = 40
"""Characters of a literal without spaces that may be told."""

_IN_SOURCE = re.compile(
    r"""\"{3}(?:[^\"\\]|\\.|\"(?!\"\"))*(?:\"{3}|\\?$)|'{3}(?:[^'\\]|\\.|'(?!''))*(?:'{3}|\\?$)|"""
    r"""\"(?:[^\"\\]|\\.)*(?:\"|\\?$)|'(?:[^'\\]|\\.)*(?:'|\\?$)|\#.*$""",
    re.DOTALL,
)
"""Also one that does not end in its line, and comments, in which a quotation mark begins nothing."""

_MARK = re.compile("['\"`]")


def without_literals(line: str, tells: Callable[[str], bool]) -> str:
    """Return a line of source without the literals in it that are prose, and those that are not to be told."""

    def told(found: re.Match[str]) -> str:
        literal = found.group()
        if literal.startswith("#"):
            return literal
        width = 3 if literal[:3] in ("'''", '"""') else 1
        content = literal[width:].removesuffix(literal[:width])
        return literal if not _is_prose(content) and tells(content) else "'…'"

    return _IN_SOURCE.sub(told, line)


def without_prose(text: str) -> str:
    """Return a text in words without what is quoted in it, but for names."""
    told: list[str] = []
    end = 0
    closings = {mark: _closings(text, mark) for mark in "'\"`"}
    for found in _MARK.finditer(text):
        start = found.start()
        if start < end or not _opens(text, start):
            continue
        following = closings[found.group()]
        while following and following[-1] <= start:
            following.pop()
        # What is not closed goes on to the end, whoever has cut it off there.
        stop = following[-1] + 1 if following else len(text)
        content = text[start + 1 : stop - 1 if following else stop]
        if _is_prose(content):
            told += (text[end:start], "'…'")
            end = stop
        elif following:
            told.append(text[end:stop])
            end = stop
    told.append(text[end:])
    return "".join(told)


def _is_prose(content: str) -> bool:
    return len(content) > LONGEST or any(map(str.isspace, content))


def _opens(text: str, place: int) -> bool:
    """Return whether a mark begins a quotation, rather than to end one or to stand in a word."""
    after = text[place + 1 : place + 2]
    return not text[place - 1 : place].isalnum() and bool(after) and not after.isspace()


def _closings(text: str, mark: str) -> list[int]:
    """Return where a quotation may end, the last place first."""
    places: list[int] = []
    place = text.find(mark)
    while place >= 0:
        if not text[place + 1 : place + 2].isalnum() and text[place - 1 : place] != "\\":
            places.append(place)
        place = text.find(mark, place + 1)
    return places[::-1]
