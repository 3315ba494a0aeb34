"""What a reply may say: a count is a whole number, a price a finite one, both zero or more, and a name is a text.

Providers, proxies, caches and doubles in tests answer with anything. Whatever else stands where one of these is
expected is not recorded, alone: the other numbers of the same reply are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

from ..reading import is_kind, text_of_name

__all__ = ["count_of", "items_of", "member", "name_of", "price_of"]

MAX_COUNT = 10**12
"""Tokens that no call uses; sums of more calls than a process makes stay within OTLP's 64 bits."""

MAX_PRICE = 1e6
"""US dollars that no call costs; one such number would be all that is left of a sum."""


def member(value: Any, name: str) -> Any:
    """Return a named member of a mapping or an object, ``None`` where there is none or it cannot be read."""
    # A plain dict is what comes mostly, and isinstance with an abstract class takes its time.
    if type(value) is dict:
        return value.get(name)
    try:
        return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
    except Exception:  # noqa: BLE001 - an object of somebody else's may do anything when it is looked at
        return None


def items_of(value: Any) -> Iterable[Any]:
    """Return the items of a list or tuple, nothing of anything else."""
    return value if is_kind(value, list, tuple) else ()


def count_of(value: Any) -> int | None:
    """Return a count of tokens; a whole number may come as a float or in a number type of numpy."""
    if value is None or isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        number = float(value)
        count = int(value) if isinstance(value, Integral) else int(number)
    except (ValueError, OverflowError):
        return None
    return count if number == count and 0 <= count <= MAX_COUNT else None


def price_of(value: Any) -> float | None:
    """Return a price in US dollars; headers have it as text, and Perplexity itemizes."""
    if isinstance(value, Mapping):
        value = member(value, "total_cost")
    if isinstance(value, bool) or not isinstance(value, (Real, Decimal, str)):
        return None
    try:
        price = float(value)
    except (ValueError, OverflowError):
        return None
    return price if math.isfinite(price) and 0 <= price <= MAX_PRICE else None


def name_of(value: Any) -> str | None:
    """Return a name, an id or a reason: a text that is not empty."""
    return text_of_name(value)
