"""Amounts in the few words that a person reads: of money, and numbers of things."""

from __future__ import annotations

import math
from typing import Final

__all__ = ["count_words", "money_words"]

_MOST_DECIMALS: Final = 9


def money_words(dollars: float) -> str:
    """Return an amount with at least three significant digits: ``$0.000123``, ``$0.0312``, ``$1,204.50``."""
    if dollars <= 0:
        return "$0.00"
    if math.isinf(dollars):
        return "$inf"
    rounded = float(f"{dollars:.2e}")
    decimals = min(_MOST_DECIMALS, max(2, 2 - math.floor(math.log10(rounded))))
    words = f"{dollars:,.{decimals}f}"
    return f"${words}" if float(words.replace(",", "")) > 0 else f"<${10**-_MOST_DECIMALS:.{_MOST_DECIMALS}f}"


def count_words(count: int, singular: str, plural: str = "") -> str:
    """Return ``1 error``, ``1,204 errors``."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"
