"""How cells say numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sized

__all__ = ["counted", "dollars", "none_or", "of"]


def of(part: int, whole: int) -> str:
    """Return `218 of 248`."""
    return f"{part:,} of {whole:,}"


def counted(number: int, noun: str, nouns: str | None = None) -> str:
    """Return a number of things."""
    return f"{number:,} {noun if number == 1 else nouns or f'{noun}s'}"


def dollars(amount: float) -> str:
    """Return an amount as precise as a few calls of a small model need."""
    return f"${amount:.6f}"


def none_or(text: str, found: Sized) -> str:
    """Return the text where anything was found."""
    return text if len(found) else "none"
