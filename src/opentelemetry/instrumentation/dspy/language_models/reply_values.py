"""What a reply may say: a count is a whole number, a price a finite one, both zero or more, and a name is a text.

Providers, proxies, caches and doubles in tests answer with anything. Whatever else stands where one of these is
expected is not recorded, alone: the other numbers of the same reply are. Values are judged by their type, not by
``isinstance``, which a mock answers as it likes, and nothing that they do when they are looked at is let through.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

from ..encodable import encodable

__all__ = ["MAX_COUNT", "count_of", "is_a", "items_of", "member", "name_of", "number_of", "price_of", "whole_number_of"]

MAX_COUNT = 10**12
"""Tokens that no call uses; sums of more calls than a process makes stay within OTLP's 64 bits."""

MAX_PRICE = 1e6
"""US dollars that no call costs; one such number would be all that is left of a sum."""

MAX_NAME = 1024
"""Characters that no model, id or finish reason has; names are attributes of metrics too."""

MAX_NUMBER_TEXT = 64
"""Characters that no price in a header has."""

INT64 = range(-(2**63), 2**63)
"""The whole numbers that OTLP can carry."""


def member(value: Any, name: str) -> Any:
    """Return a named member of a mapping or an object, ``None`` where there is none or it cannot be read."""
    try:
        # A plain dict is what comes mostly, and isinstance with an abstract class takes its time.
        if type(value) is dict or isinstance(value, Mapping):
            return value.get(name)
        return getattr(value, name, None)
    except Exception:  # noqa: BLE001 - an object of somebody else's may do anything when it is looked at
        return None


def is_a(value: Any, kind: type | tuple[type, ...]) -> bool:
    """Return whether a value is one by its type; a double says of itself that it is whatever it was made after."""
    return issubclass(type(value), kind)


def items_of(value: Any) -> Iterable[Any]:
    """Return the items of a list or tuple, nothing of anything else."""
    kind = type(value)
    if kind is tuple or kind is list:
        return value  # type: ignore[no-any-return]
    if issubclass(kind, list):
        return list.__iter__(value)
    return tuple.__iter__(value) if issubclass(kind, tuple) else ()


def number_of(value: Any) -> float | None:
    """Return a finite number, of whatever number type."""
    kind = type(value)
    if kind is not float:
        if kind is bool or not issubclass(kind, (Real, Decimal)):
            return None
        try:
            value = float(value)
        except Exception:  # noqa: BLE001 - as above
            return None
    return value if math.isfinite(value) else None


def whole_number_of(value: Any) -> int | None:
    """Return a whole number that OTLP can carry; it may come as a float, a decimal or in a number type of numpy."""
    kind = type(value)
    if kind is not int:
        number = number_of(value)
        # Without this look at its size a short decimal could be a whole number of a million digits.
        if number is None or abs(number) > INT64.stop:
            return None
        try:
            whole = int(value)
            if not issubclass(kind, Integral) and number != whole:
                return None
        except Exception:  # noqa: BLE001 - as above
            return None
        value = whole
    return value if value in INT64 else None


def count_of(value: Any) -> int | None:
    """Return a count of tokens."""
    if value is None:
        return None
    if type(value) is int:
        return value if 0 <= value <= MAX_COUNT else None
    count = whole_number_of(value)
    return count if count is not None and 0 <= count <= MAX_COUNT else None


def price_of(value: Any) -> float | None:
    """Return a price in US dollars; headers have it as text, and Perplexity itemizes."""
    if value is None:
        return None
    if type(value) is float:
        return value if 0 <= value <= MAX_PRICE else None
    try:
        if is_a(value, Mapping):
            value = member(value, "total_cost")
        if is_a(value, str) and len(value) <= MAX_NUMBER_TEXT:
            value = float(value)
    except Exception:  # noqa: BLE001 - as above
        return None
    price = number_of(value)
    return price if price is not None and 0 <= price <= MAX_PRICE else None


def name_of(value: Any) -> str | None:
    """Return a name, an id or a reason: a text that is not empty."""
    if value is None or not issubclass(type(value), str):
        return None
    name = str.__str__(value)
    if not 0 < len(name) <= MAX_NAME:
        return None
    return name if name.isascii() else encodable(name)
