"""Sums of what calls of language models and embedders used and cost: numbers alone."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Final

from .language_models.reply_values import INT64, number_of, whole_number_of

__all__ = ["MAX_COST", "MAX_TOTAL", "NOTHING", "UnpricedUsage", "Usage"]

MAX_TOTAL = INT64[-1]
MAX_COST = sys.float_info.max


@dataclass(slots=True)
class Usage:
    """Sums over calls of language models and embedders.

    Tokens are in the GenAI conventions' meaning (input includes cached tokens, output includes reasoning), those of
    embedders apart; costs of both are together, in US dollars. ``cost`` is the sum of the known prices;
    ``cost_unknown_calls`` counts the paid calls that it lacks.
    """

    lm_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0
    cost_unknown_calls: int = 0
    cache_hits: int = 0
    saved_cost: float = 0.0
    embedding_calls: int = 0
    embedding_tokens: int = 0

    @property
    def tokens(self) -> int:
        """Tokens of all kinds together: input, output and embedded ones."""
        return self.input_tokens + self.output_tokens + self.embedding_tokens

    @property
    def sent_calls(self) -> int:
        """Calls of language models and embedders, without those that DSPy's cache answered."""
        return self.lm_calls - self.cache_hits + self.embedding_calls

    @property
    def is_used(self) -> bool:
        """Whether anything was called or embedded at all."""
        return bool(self.lm_calls or self.embedding_calls or self.embedding_tokens)

    @property
    def has_known_cost(self) -> bool:
        """Whether ``cost`` says anything: a zero does not where a price is missing, or where nobody was asked that
        takes a price, as for an embedder that is a function in this process."""
        return self.cost > 0 or (not self.cost_unknown_calls and bool(self.lm_calls or self.embedding_tokens))

    def add(self, other: Usage) -> None:
        """Add another sum to this one, in place.

        A count that is negative or not whole, and a cost that is negative or not finite, adds nothing; sums end at the
        largest number that OTLP can carry.
        """
        total = self.copy().plus(other.copy())
        for name in Usage.__slots__:
            setattr(self, name, getattr(total, name))

    def plus(self, other: Usage) -> Usage:
        """Return the sum of both, of numbers that are known to be counts and prices."""
        total = Usage(
            self.lm_calls + other.lm_calls,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cost + other.cost,
            self.cost_unknown_calls + other.cost_unknown_calls,
            self.cache_hits + other.cache_hits,
            self.saved_cost + other.saved_cost,
            self.embedding_calls + other.embedding_calls,
            self.embedding_tokens + other.embedding_tokens,
        )
        counted = total.lm_calls + total.tokens + total.cost_unknown_calls + total.cache_hits + total.embedding_calls
        return total.bounded() if counted > MAX_TOTAL or total.cost + total.saved_cost > MAX_COST else total

    def bounded(self) -> Usage:
        """Return the same numbers, none of them larger than OTLP can carry."""
        return Usage(
            min(self.lm_calls, MAX_TOTAL),
            min(self.input_tokens, MAX_TOTAL),
            min(self.output_tokens, MAX_TOTAL),
            min(self.cost, MAX_COST),
            min(self.cost_unknown_calls, MAX_TOTAL),
            min(self.cache_hits, MAX_TOTAL),
            min(self.saved_cost, MAX_COST),
            min(self.embedding_calls, MAX_TOTAL),
            min(self.embedding_tokens, MAX_TOTAL),
        )

    def copy(self) -> Usage:
        """Return the numbers as they stand now, zero for what is none."""
        return Usage(
            lm_calls=_sound_count(self.lm_calls),
            input_tokens=_sound_count(self.input_tokens),
            output_tokens=_sound_count(self.output_tokens),
            cost=_sound_cost(self.cost),
            cost_unknown_calls=_sound_count(self.cost_unknown_calls),
            cache_hits=_sound_count(self.cache_hits),
            saved_cost=_sound_cost(self.saved_cost),
            embedding_calls=_sound_count(self.embedding_calls),
            embedding_tokens=_sound_count(self.embedding_tokens),
        )


NOTHING: Final = Usage()
"""Never to be changed."""


class UnpricedUsage(Usage):
    """What one reply of several to a call tells, where its price is not known; the call is counted when it ends."""

    __slots__ = ()


def _sound_count(value: object) -> int:
    return max(whole_number_of(value) or 0, 0)


def _sound_cost(value: object) -> float:
    return max(number_of(value) or 0.0, 0.0)
