"""What a test allows itself: language model calls, US dollars and tokens, and what to say where it took more."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from ..amounts import count_words, money_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..usage_sums import Usage

__all__ = ["Bounds"]


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most that may be used; ``None`` is no bound.

    ``lm_calls`` counts all calls that the program made, failed ones and hits of DSPy's cache too, so that a test does
    not depend on what the cache holds. ``cost`` is in US dollars, ``tokens`` input, output and embedded ones together;
    both are of language models and embedders. Hits use and cost nothing. Raises ``TypeError`` or ``ValueError`` for
    what is no bound.
    """

    lm_calls: int | None = None
    cost: float | None = None
    tokens: int | None = None

    def __post_init__(self) -> None:
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        for name, bound in given.items():
            if bound is not None:
                _check(name, bound, whole=name != "cost")
        if all(bound is None for bound in given.values()):
            raise ValueError(f"At least one bound is needed: {', '.join(given)}.")

    def excesses(self, usage: Usage, running: int, unpriced: list[str], embedding: int = 0) -> list[str]:
        """Return a sentence for each bound that is broken, or that nobody can say is kept.

        ``running`` calls of language models and ``embedding`` ones of embedders have not ended, so that what they use
        is not known; ``unpriced`` are the models of those that have ended and whose price is not known.
        """
        under_way = [(running, "LM call"), (embedding, "embedding call")]
        return [*self._broken(usage, running), *self._unknown(usage, under_way, unpriced)]

    def _broken(self, usage: Usage, running: int) -> Iterator[str]:
        calls = usage.lm_calls + running
        if self.lm_calls is not None and calls > self.lm_calls:
            hits = f" ({usage.cache_hits:,} from the cache)" if usage.cache_hits else ""
            yield f"{count_words(calls, 'LM call')}{hits}, at most {self.lm_calls:,} allowed."
        if self.cost is not None and usage.cost > self.cost * (1 + _ROUNDING):
            yield f"{money_words(usage.cost)} spent, at most {money_words(self.cost)} allowed."
        if self.tokens is not None and usage.tokens > self.tokens:
            yield f"{count_words(usage.tokens, 'token')} used, at most {self.tokens:,} allowed."

    def _unknown(self, usage: Usage, under_way: list[tuple[int, str]], unpriced: list[str]) -> Iterator[str]:
        if self.cost is not None and usage.cost_unknown_calls:
            of_models = f" ({', '.join(unpriced)})" if unpriced else ""
            calls = count_words(usage.cost_unknown_calls, "LM call" if not usage.embedding_calls else "call")
            yield (
                f"The price of {calls}{of_models} is not known, so nobody can say that at most "
                f"{money_words(self.cost)} was spent. Bound lm_calls or tokens where a model has no price."
            )
        for running, kind in under_way:
            if running and (self.cost is not None or self.tokens is not None):
                has = "has" if running == 1 else "have"
                yield f"{count_words(running, kind)} {has} not ended: what is used is not known yet."


_ROUNDING = 1e-9
"""Ten calls at a tenth of a cent are one cent, though their sum as floats is a little more."""


def _check(name: str, bound: Any, *, whole: bool) -> None:
    kind = "a whole number" if whole else "an amount in US dollars"
    if isinstance(bound, bool) or not isinstance(bound, int if whole else (int, float)):
        raise TypeError(f"{name}= takes {kind}, not {type(bound).__name__}.")
    if not math.isfinite(bound) or bound < 0:
        raise ValueError(f"{name}= takes {kind} from zero up, not {bound}.")
