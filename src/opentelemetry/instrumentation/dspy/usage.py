"""What language model calls used and cost: numbers, and live totals that know their parent."""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .language_models.reply_values import INT64, number_of, whole_number_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["Usage", "UsageScope", "joined", "shared_scope"]

OTHER_MODELS = "other"
"""Under this key a scope adds up the models that came after it had seen ``MAX_MODELS`` of them."""

MAX_MODELS = 100

_lock = threading.RLock()
"""One for all scopes: it is held for some additions only, and no more.

Re-entrant, because the garbage collector may end a language model call at any line.
"""

if hasattr(os, "register_at_fork"):
    # A child process gets the sums complete, and the lock open.
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


@dataclass(slots=True)
class Usage:
    """Sums over language model calls.

    Tokens are in the GenAI conventions' meaning (input includes cached tokens, output includes reasoning), costs in
    US dollars. ``cost`` is the sum of the known prices; ``cost_unknown_calls`` counts the paid calls that it lacks.
    """

    lm_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0
    cost_unknown_calls: int = 0
    cache_hits: int = 0
    saved_cost: float = 0.0

    def add(self, other: Usage) -> None:
        """Add another sum to this one, in place.

        A count that is negative or not whole, and a cost that is negative or not finite, adds nothing; sums end at the
        largest number that OTLP can carry.
        """
        self._add_sound(other.copy())

    def _add_sound(self, other: Usage) -> None:
        self.lm_calls = _at_most(self.lm_calls + other.lm_calls)
        self.input_tokens = _at_most(self.input_tokens + other.input_tokens)
        self.output_tokens = _at_most(self.output_tokens + other.output_tokens)
        self.cost = min(self.cost + other.cost, MAX_COST)
        self.cost_unknown_calls = _at_most(self.cost_unknown_calls + other.cost_unknown_calls)
        self.cache_hits = _at_most(self.cache_hits + other.cache_hits)
        self.saved_cost = min(self.saved_cost + other.saved_cost, MAX_COST)

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
        )


MAX_TOTAL = INT64[-1]
MAX_COST = sys.float_info.max


def _at_most(count: int) -> int:
    return min(MAX_TOTAL, count)


def _sound_count(value: object) -> int:
    return max(whole_number_of(value) or 0, 0)


def _sound_cost(value: object) -> float:
    return max(number_of(value) or 0.0, 0.0)


@dataclass(slots=True)
class UsageScope:
    """A live total of everything that runs inside, in whatever thread or task.

    What is added here is added to every enclosing scope as well. Reading is possible at any time, while calls run
    and after them. The size is fixed: models beyond the hundredth are added up under ``"other"``.
    """

    parent: UsageScope | None = None
    _total: Usage = field(default_factory=Usage)
    _by_model: dict[str, Usage] = field(default_factory=dict)
    beside: UsageScope | None = None
    """A second scope around this one, where the application's block and the running call do not lie in each other."""

    def add(self, usage: Usage, model: str) -> None:
        """Add one call's usage to this scope and to those around it."""
        usage = usage.copy()
        with _lock:
            for scope in _outwards(self):
                scope._add_here(usage, model)

    def _add_here(self, usage: Usage, model: str) -> None:
        self._total._add_sound(usage)
        of_model = self._by_model.get(model)
        if of_model is None:
            key = model if len(self._by_model) < MAX_MODELS else OTHER_MODELS
            of_model = self._by_model.setdefault(key, Usage())
        of_model._add_sound(usage)

    def total(self) -> Usage:
        """Return all numbers, taken at one moment."""
        with _lock:
            return self._total.copy()

    @property
    def lm_calls(self) -> int:
        """Language model calls that ended, failed ones and cache hits included."""
        return self._total.lm_calls

    @property
    def input_tokens(self) -> int:
        """Input tokens, those that the provider had cached included."""
        return self._total.input_tokens

    @property
    def output_tokens(self) -> int:
        """Output tokens, reasoning included."""
        return self._total.output_tokens

    @property
    def cost(self) -> float:
        """Sum of the known prices, in US dollars."""
        return self._total.cost

    @property
    def cost_unknown_calls(self) -> int:
        """Paid calls whose price is not known, and so not in ``cost``."""
        return self._total.cost_unknown_calls

    @property
    def cache_hits(self) -> int:
        """Calls that DSPy's own cache answered."""
        return self._total.cache_hits

    @property
    def saved_cost(self) -> float:
        """What the cache hits would have cost, in US dollars, where the stored reply tells."""
        return self._total.saved_cost

    @property
    def by_model(self) -> Mapping[str, Usage]:
        """The same numbers for each request model, taken at one moment."""
        with _lock:
            return {model: usage.copy() for model, usage in self._by_model.items()}


def shared_scope(scopes: Sequence[UsageScope | None]) -> UsageScope | None:
    """Return the innermost scope that is one of, or around, all of the given ones; ``None`` where there is none."""
    others = [{id(scope) for scope in _outwards(scope)} for scope in scopes[1:]]
    for scope in _outwards(scopes[0]) if scopes else ():
        if all(id(scope) in other for other in others):
            return scope
    return None


def joined(inner: UsageScope | None, outer: UsageScope | None) -> UsageScope | None:
    """Return the scope of what runs inside both, a new one only where neither lies in the other."""
    if inner is None or outer is None:
        return outer if inner is None else inner
    if any(scope is outer for scope in _outwards(inner)):
        return inner
    if any(scope is inner for scope in _outwards(outer)):
        return outer
    return UsageScope(outer, beside=inner)


def _outwards(scope: UsageScope | None) -> Iterator[UsageScope]:
    """Yield a scope and all that are around it, each of them once."""
    seen: set[int] | None = None
    branches: list[UsageScope] = []
    while scope is not None:
        if seen is None or id(scope) not in seen:
            yield scope
            if scope.beside is not None:
                seen = set() if seen is None else seen
                branches.append(scope.beside)
            if seen is not None:
                seen.add(id(scope))
            scope = scope.parent
        else:
            scope = None
        if scope is None and branches:
            scope = branches.pop()
