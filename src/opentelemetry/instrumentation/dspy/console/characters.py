"""Texts in the characters that a stream can write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

__all__ = ["Characters", "characters_for"]

Characters: TypeAlias = Callable[[str], str]

_ASCII: Final = str.maketrans(
    {
        "├": "|",
        "└": "`",
        "│": "|",
        "─": "-",
        "…": "...",
        "→": "->",
        "Σ": "sum",
        "µ": "u",
        "·": "-",
        "✗": "x",
    }
)


def characters_for(encoding: str) -> Characters:
    """Return what makes a text writable in ``encoding``; if it must, with an ASCII tree and escapes."""
    try:
        "".join(map(chr, _ASCII)).encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return lambda text: text.translate(_ASCII).encode("ascii", "backslashreplace").decode("ascii")
    return lambda text: text.encode(encoding, "backslashreplace").decode(encoding)
