"""The bounds that an application sets: dollars, tokens, calls, and what to do about a price that is not known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from ..usage_sums import MAX_COST

__all__ = ["Bound", "Bounds", "OnUnknown"]

OnUnknown: TypeAlias = Literal["count_tokens", "refuse", "ignore"]
"""What a call without a known price is to a bound in dollars: its tokens at the average price of the others of its
kind, the last call, or nothing."""

Bound: TypeAlias = Literal["max_cost", "max_tokens", "max_calls", "unknown_price"]
"""Which bound it was; ``unknown_price`` is that of ``on_unknown="refuse"``."""

_CHOICES: Final[tuple[OnUnknown, ...]] = get_args(OnUnknown)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What may be spent; ``None`` is no bound."""

    max_cost: float | None = None
    """US dollars."""
    max_tokens: int | None = None
    """Input, output and embedding tokens together."""
    max_calls: int | None = None
    """Calls of language models and embedders that are sent: what DSPy's cache answers whole is none."""
    on_unknown: OnUnknown = "count_tokens"

    def __post_init__(self) -> None:
        """Raise ``TypeError`` or ``ValueError`` for what is no bound."""
        given = {"max_cost": self.max_cost, "max_tokens": self.max_tokens, "max_calls": self.max_calls}
        for name, bound in given.items():
            kinds = (int, float) if name == "max_cost" else (int,)
            if bound is None:
                continue
            if isinstance(bound, bool) or not isinstance(bound, kinds):
                what = "a number of US dollars" if name == "max_cost" else "a whole number"
                raise TypeError(f"{name}= takes {what}, not {type(bound).__name__}.")
            if not bound >= 0:  # nor what is no number
                raise ValueError(f"{name}= takes zero or more, not {bound}.")
            if isinstance(bound, int) and bound > MAX_COST:
                raise ValueError(f"{name}= takes at most {MAX_COST:g}; None is no bound.")
        if self.on_unknown not in _CHOICES:
            raise ValueError(f"on_unknown= takes one of {', '.join(_CHOICES)}, not {self.on_unknown!r}.")

    @property
    def are_any(self) -> bool:
        """Whether there is a bound at all; that all prices be known is one by itself."""
        given = (self.max_cost, self.max_tokens, self.max_calls)
        return given != (None, None, None) or self.on_unknown == "refuse"

    def limit_of(self, bound: Bound) -> float | None:
        """Return the number that the application gave."""
        return {"max_tokens": self.max_tokens, "max_calls": self.max_calls}.get(bound, self.max_cost)

    def reached(self, *, cost: float, tokens: int, calls: int | None, unknown_calls: int) -> Bound | None:
        """Return the bound that has been reached, so that nothing more may be sent.

        ``calls`` is ``None`` where no further call is to be sent, but a further request of one.
        """
        if self.max_cost is not None and cost >= self.max_cost:
            return "max_cost"
        if self.max_tokens is not None and tokens >= self.max_tokens:
            return "max_tokens"
        if self.max_calls is not None and calls is not None and calls >= self.max_calls:
            return "max_calls"
        if unknown_calls and self.on_unknown == "refuse":
            return "unknown_price"
        return None
