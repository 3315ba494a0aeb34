"""What a server says is wrong, in its own words: structures in such a text hold what it was sent, or its reply."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .literals import without_prose

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MAX_CHARACTERS", "words_of_provider"]

MAX_CHARACTERS = 16_384
"""Characters of a text that are gone through; nothing behind them is told."""

_STRUCTURES = (
    (re.compile(r"\{"), "}"),
    (re.compile(r"\[\s?[\[{'\"]"), "]"),
)
"""What structures begin and end with, as JSON and Python write them."""

_BROKEN_OFF = re.compile(r"\{(?!\s?[\"'\[{])")
"""A bracket without an end that begins no structure which was cut off."""

_TOKEN = re.compile(
    r"""
      (?P<opening>[\[{(])
    | (?P<closing>[\]})])
    | (?P<comma>,)
    | (?<!\w)(?:"(?P<double>(?:[^"\\]|\\.)*)(?:"|\Z)|'(?P<single>(?:[^'\\]|\\.)*)(?:'|\Z))(?P<colon>\s*:)?
    | (?P<word>[\w.+-]+)
    """,
    re.DOTALL | re.VERBOSE,
)

_ESCAPED_QUOTE = re.compile(r"\\(['\"])")

_ERRORS = frozenset({"detail", "details", "error", "errors", "innererror", "message"})
"""Under these names, or at the top, a structure tells of an error; what stands elsewhere is of a request or a reply."""

_CODES = frozenset({"code", "status", "type"})

_CODE = re.compile(r"[\w.-]{1,60}")

_NOTHING = frozenset({"None", "null"})


def words_of_provider(text: str) -> str:
    """Return a server's words; a structure is told by what it says in its own message and codes."""
    first, last = _structure_in(text)
    if first == last:
        return without_prose(text[:MAX_CHARACTERS])
    before, structure, after = text[:first], text[first:last], text[last:]
    told = _said_in(structure[:MAX_CHARACTERS])
    return f"{without_prose(before[:MAX_CHARACTERS])}{told}{words_of_provider(after)}"


def _structure_in(text: str) -> tuple[int, int]:
    """Return where the first structures lie, from the first bracket to the last of those that lie in each other."""
    spans = sorted(_spans_in(text))
    if not spans:
        return 0, 0
    begin, end = spans[0]
    for first, last in spans:
        if first < end:
            end = max(end, last)
    return begin, end


def _spans_in(text: str) -> Iterator[tuple[int, int]]:
    for opening, closing in _STRUCTURES:
        found = opening.search(text)
        if found is None:
            continue
        end = text.rfind(closing) + 1
        if end > found.start():
            yield found.start(), end
        elif not _BROKEN_OFF.match(text, found.start()):
            yield found.start(), len(text)


def _said_in(structure: str) -> str:
    """Return the message of an error and its codes."""
    message = ""
    codes: dict[str, None] = {}
    for name, value in _entries_of_errors(structure):
        if name == "message":
            message = message or without_prose(_ESCAPED_QUOTE.sub(r"\1", value))
        elif _CODE.fullmatch(value) and value not in _NOTHING:
            codes[value] = None
    return " ".join([message, *codes] if message else codes)


def _entries_of_errors(structure: str) -> Iterator[tuple[str, str]]:
    around: list[str | None] = []
    name: str | None = None
    for found in _TOKEN.finditer(structure):
        bracket = found["opening"]
        if bracket:
            # What Python writes as a call is an object of a client's, and none of a server's.
            around.append("(" if bracket == "(" else name)
            name = None
        elif found["closing"]:
            if around:
                around.pop()
            name = None
        elif found["comma"]:
            name = None
        else:
            value = next(part for part in found.group("double", "single", "word") if part is not None)
            if found["colon"]:
                name = value
            elif name is not None:
                if (name == "message" or name in _CODES) and all(part is None or part in _ERRORS for part in around):
                    yield name, value
                name = None
