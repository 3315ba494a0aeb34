"""Texts that OTLP can carry: a lone surrogate in one attribute or name costs the whole batch of spans."""

from __future__ import annotations

__all__ = ["encodable"]


def encodable(text: str) -> str:
    """Return the text itself, with ``?`` in the place of what UTF-8 has no bytes for."""
    if type(text) is str and text.isascii():
        return text
    try:
        str.encode(text)
    except UnicodeEncodeError:
        return str.encode(text, errors="replace").decode()
    # The characters themselves: an ``Enum`` of texts would give its own name.
    return str.__str__(text)
