"""What work will have cost in the end, told by the parts of it that are done."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from numbers import Real

from .reading import shown
from .usage_sums import MAX_TOTAL

__all__ = ["Progress", "Projection"]


@dataclass(frozen=True, slots=True)
class Projection:
    """What all of some work will have cost, in US dollars."""

    cost: float | None
    """The total that is expected; ``None`` before the first part is done."""
    low: float | None
    high: float | None
    """Between these the total lies nineteen times in twenty, if parts to come cost as those behind; ``None`` before
    three parts or groups of parts could be compared."""
    spent: float
    per_second: float
    """Dollars in each second so far."""
    seconds_left: float | None
    """``None`` before the first part is done."""


@dataclass(slots=True)
class PartCosts:
    """Mean and spread of what parts cost, of single ones and of groups of which the sum alone is known."""

    parts: int = 0
    groups: int = 0
    total: float = 0.0
    _squares: float = 0.0

    def add(self, cost: float, parts: int = 1) -> None:
        """Add what one or several parts cost together."""
        self.parts += parts
        self.groups += 1
        self.total += cost
        self._squares += cost * cost / parts

    def spread(self, parts_left: int) -> float | None:
        """Return the standard deviation of what is left: of the parts themselves, and of the mean of those behind."""
        if self.groups < 3:
            return None
        mean = self.total / self.parts
        variance = max(0.0, self._squares - self.parts * mean * mean) / (self.groups - 1)
        return math.sqrt(variance * parts_left * (1 + parts_left / self.parts))

    @property
    def deviations(self) -> float:
        """How many standard deviations on both sides hold 95 %: of Student's distribution, since the spread itself is
        known by few groups (its expansion in powers of 1/v, Abramowitz and Stegun 26.7.5)."""
        v, z = self.groups - 1, _NORMAL_95_PERCENT
        first = (z**3 + z) / 4
        second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
        third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
        return z + first / v + second / v**2 + third / v**3


_NORMAL_95_PERCENT = 1.959964
"""Standard deviations of a normal distribution on both sides of its mean that hold 95 % of it."""


def project(
    costs: PartCosts,
    spent: float,
    parts_left: int,
    seconds: float,
    *,
    begun: float = 0.0,
    parts_begun: int = 0,
    before: float = 0.0,
) -> Projection:
    """Return the projection of work that took so many seconds and dollars.

    ``before`` of the dollars were spent before the work began, ``begun`` of them on parts that have not ended, of which
    ``parts_begun`` are known to have begun. They will cost as much at least: of parts side by side the short ones end
    first.
    """
    rate = (spent - before) / seconds if seconds > 0 else 0.0
    if costs.parts == 0:
        return Projection(None, None, None, spent, rate, None)
    mean = costs.total / costs.parts
    expected = spent - begun + max(begun, mean * parts_begun) + mean * (parts_left - parts_begun)
    spread = costs.spread(parts_left)
    low = high = None
    if spread is not None:
        low, high = max(spent, expected - costs.deviations * spread), expected + costs.deviations * spread
    return Projection(expected, low, high, spent, rate, seconds / costs.parts * parts_left)


@dataclass(slots=True)
class Progress:
    """What one total was at each time that it was asked for its projection."""

    began: float = field(default_factory=time.monotonic)
    _before: float = 0.0
    """What was spent before the work began that is asked about."""
    _done: int = 0
    _total: int = 0
    _spent: float = 0.0
    _asked: float = 0.0
    """When the parts that are done were told."""
    _costs: PartCosts = field(default_factory=PartCosts)

    def project(self, spent: float, done: int, total: int) -> Projection:
        """Return the projection; asked with fewer parts than before, it is about other work, which began there."""
        for name, parts in (("done", done), ("total", total)):
            if not isinstance(parts, Real):
                raise TypeError(
                    f"projected() takes numbers of parts, and {name} is of the type {type(parts).__name__}."
                )
        if not 0 <= done <= total <= MAX_TOTAL:
            raise ValueError(f"projected() takes 0 <= done <= total, not done={shown(done)} and total={shown(total)}.")
        now = time.monotonic()
        if self._is_other_work(done):
            self.began, self._before = self._asked, self._spent
            self._done, self._costs = 0, PartCosts()
        if done > self._done:
            self._costs.add(spent - self._spent, done - self._done)
            self._done, self._spent, self._asked = done, spent, now
        self._total = total
        left = total - done
        return project(
            self._costs,
            spent,
            left,
            now - self.began,
            begun=spent - self._spent,
            parts_begun=left,
            before=self._before,
        )

    def _is_other_work(self, done: int) -> bool:
        """Return whether a number of parts begins to count anew: threads that ask at the same time come a little late,
        with a few parts fewer than one of them told."""
        return done < self._done and (self._done >= self._total or 2 * done <= self._done)
