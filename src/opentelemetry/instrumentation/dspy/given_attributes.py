"""Attributes of spans as an application gives them: whatever else is among them, each span starts with the sound ones.

The SDK goes through every value when a span starts: one that contains itself would cost all of the spans.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from .content.content_values import PlainValues
from .encodable import encodable
from .reading import is_kind

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["given_attributes", "given_text"]

MAX_ATTRIBUTES = 1_000
"""Attributes of one block that are looked at; the SDK keeps 128 of a span."""


def given_attributes(given: Mapping[Any, Any]) -> dict[str, Any]:
    """Return attributes as ones that OTLP can carry, those with a name that is a text."""
    attributes = {}
    for name, value in islice(given.items(), MAX_ATTRIBUTES):
        if is_kind(name, str):
            attributes[encodable(name)] = _sound(value)
    return attributes


def given_text(value: Any) -> str | None:
    """Return an identifier as a text, ``None`` where it holds several values."""
    plain = PlainValues(encodable).of(value)
    return plain if isinstance(plain, str) else str(plain) if isinstance(plain, (bool, int, float)) else None


def _sound(value: Any) -> Any:
    """Return a value as one that OTLP can carry: texts, numbers and flat lists of them whole, whatever else bounded."""
    if value is None or is_kind(value, bytes):
        return value
    if is_kind(value, list, tuple) and all(item is None or is_kind(item, str, bool, int, float) for item in value):
        return [PlainValues(encodable).of(item) for item in value]
    return PlainValues(encodable).of(value)
