"""Texts that OTLP can carry: a lone surrogate in one attribute or name costs the whole batch of spans."""

from __future__ import annotations

__all__ = ["encodable"]


def encodable(text: str) -> str:
    """Return the text itself, with ``?`` in the place of what UTF-8 has no bytes for."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return str(text)
