"""A total with bounds, which knows what was sent inside besides what has ended."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from threading import get_ident
from typing import TYPE_CHECKING

from ..usage import UsageScope, outwards
from ..usage_sums import NOTHING, UnpricedUsage
from .bounds import Bounds
from .token_prices import TokenPrices

if TYPE_CHECKING:
    from ..usage_sums import Usage
    from .bounds import Bound

__all__ = ["BoundedScope", "bounded_scopes"]


@dataclass(eq=False, repr=False)
class BoundedScope(UsageScope):
    """A live total of everything inside, and the bounds that it must keep."""

    bounds: Bounds = field(default_factory=Bounds)
    is_process: bool = False
    """Whether it is that of the whole process, which has no end where its error could be raised."""
    is_left: bool = False
    """Whether the application has left the block; what it began inside may still run."""
    place: tuple[int, int] = field(default_factory=lambda: (os.getpid(), get_ident()))
    """The process and the thread in which the block was entered, and ends."""
    admitted: int = 0
    """Calls that were let through to be sent; one is one, however many requests it takes."""
    merged: int = 0
    """Calls that other processes sent; a number of its own, since it changes under another lock."""
    _under_way: int = 0
    _counted_in: int = field(default_factory=os.getpid)
    """The process in which ``_under_way`` was counted: what is under way in another one ends there."""
    has_warned: bool = False
    _asked: TokenPrices = field(default_factory=TokenPrices)
    """What language models took."""
    _embedded: TokenPrices = field(default_factory=TokenPrices)
    """What embedders took, whose tokens are far cheaper."""

    def _add_here(self, usage: Usage, model: str) -> None:
        UsageScope._add_here(self, usage, model)
        # Of other processes both kinds come under one name, where they had more models than a total tells apart.
        is_asked = usage.lm_calls or usage.input_tokens or usage.output_tokens
        kind, tokens = (
            (self._asked, usage.input_tokens + usage.output_tokens)
            if is_asked
            else (self._embedded, usage.embedding_tokens)
        )
        kind.add(tokens, usage.cost, usage.cost_unknown_calls, unpriced=_unpriced_share(usage))

    def _add_merged(self, usage: Usage, model: str) -> None:
        """Count what another process sent and paid: it was spent for this block, and is not under way here."""
        self._add_here(usage, model)
        self.merged += usage.sent_calls

    def begin_call(self) -> None:
        """Take note that a call that was let through is under way; the caller holds the lock."""
        self._under_way, self._counted_in = self.under_way + 1, os.getpid()

    def end_call(self, *, is_free: bool) -> None:
        """Take note of its end; one that was answered without being sent makes room for another."""
        self._under_way, self._counted_in = max(0, self.under_way - 1), os.getpid()
        if is_free:
            self.admitted = max(0, self.admitted - 1)

    def begin_anew(self) -> None:
        """Forget all that was spent."""
        self._total, self._by_model, self.exceeded, self.has_warned = NOTHING, {}, None, False
        self._asked, self._embedded, self.admitted, self.merged = TokenPrices(), TokenPrices(), 0, 0

    def reached(self, *, is_begun: bool = False) -> Bound | None:
        """Return the bound that has been reached, ``None`` where a further call may be sent.

        ``is_begun`` asks for a further request of a call that was let through, which is no further call.
        """
        return self.bounds.reached(
            cost=self._cost_to_count(),
            tokens=self._total.tokens,
            calls=None if is_begun else self.admitted + self.merged,
            unknown_calls=self._total.cost_unknown_calls,
        )

    @property
    def under_way(self) -> int:
        """Calls that were sent in this process and have not ended."""
        return self._under_way if self._counted_in == os.getpid() else 0

    @property
    def is_blind(self) -> bool:
        """Whether calls are paid that the bound in dollars cannot see, and nothing else bounds them."""
        return (
            self.bounds.max_cost is not None
            and self.bounds.on_unknown == "count_tokens"
            and self.bounds.max_tokens is None
            and self._total.cost_unknown_calls > 0
            and (self._asked.is_hidden(self._asked.average) or self._embedded.is_hidden(self._average_of_embedders()))
        )

    def _cost_to_count(self) -> float:
        cost = self._total.cost
        if self.bounds.on_unknown != "count_tokens":
            return cost
        return cost + self._asked.assumed(self._asked.average) + self._embedded.assumed(self._average_of_embedders())

    def _average_of_embedders(self) -> float | None:
        """Return the price of a token, that of language models where none of embedders is known: it is no less."""
        average = self._embedded.average
        return self._asked.average if average is None else average


def _unpriced_share(usage: Usage) -> float:
    """Return the share of the tokens that no price is known of.

    All or none where the usage is of one call; where it is of many, of another process, as of the calls: which tokens
    were those of which call the sums do not tell.
    """
    if isinstance(usage, UnpricedUsage):
        return 1.0
    return min(1.0, usage.cost_unknown_calls / max(1, usage.sent_calls))


def bounded_scopes(scope: UsageScope | None) -> list[BoundedScope]:
    """Return a scope and those around it that have bounds, the innermost first."""
    return [each for each in outwards(scope) if isinstance(each, BoundedScope)]
