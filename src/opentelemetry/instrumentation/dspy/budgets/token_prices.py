"""What tokens of a kind cost on average, those of language models or those of embedders: for calls of unknown price."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TokenPrices"]


@dataclass(slots=True)
class TokenPrices:
    """Sums over the calls of one kind; costs are in US dollars."""

    cost: float = 0.0
    priced_tokens: float = 0.0
    unpriced_tokens: float = 0.0
    unknown_calls: int = 0
    """Calls whose price is not known, those among them that tell no tokens."""

    def add(self, tokens: int, cost: float, unknown_calls: int, *, unpriced: float) -> None:
        """Add what one call, one reply to it, or all calls of another process used and cost.

        ``unpriced``: the share of the tokens whose price is not in the cost, from zero to one.
        """
        self.cost += cost
        self.unknown_calls += unknown_calls
        self.unpriced_tokens += tokens * unpriced
        self.priced_tokens += tokens * (1 - unpriced)

    @property
    def average(self) -> float | None:
        """Price of a token, ``None`` where none is known."""
        return self.cost / self.priced_tokens if self.priced_tokens else None

    def assumed(self, average: float | None) -> float:
        """Return what the tokens without a price cost if each cost so much."""
        return 0.0 if average is None else self.unpriced_tokens * average

    def is_hidden(self, average: float | None) -> bool:
        """Return whether nothing tells what the calls of unknown price may have cost."""
        return self.unknown_calls > 0 and (average is None or not self.unpriced_tokens)
