"""What an evaluation or an optimizer run that is under way will have cost, by the examples or trials that ended."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ..amounts import money_words
from ..projections import PartCosts, Projection, project
from ..semconv import (
    DSPY_EVALUATE_EXAMPLES,
    DSPY_OPTIMIZER_COST,
    DSPY_OPTIMIZER_METRIC_CALLS,
    DSPY_OPTIMIZER_METRIC_CALLS_REMAINING,
    DSPY_OPTIMIZER_PLANNED_TRIALS,
    DSPY_USAGE_COST,
)
from .tree import number_of
from .words import duration_words

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

__all__ = ["Outlook", "outlook_of"]

_NANOSECONDS: Final = 1_000_000_000
_SECONDS_IN_MINUTE: Final = 60


@dataclass(slots=True)
class Outlook:
    """One evaluation or run: how many parts it has, and what those that ended cost."""

    total: int | None
    """Examples or trials that there will be; ``None`` where nothing tells."""
    _began: float = field(default_factory=time.monotonic)
    _costs: PartCosts = field(default_factory=PartCosts)
    _spent: float = 0.0
    _done: int = 0
    """Of a run that counts its metric calls: those that are behind it."""

    def take(self, part: ReadableSpan) -> None:
        """Take an example or a trial that has ended."""
        cost_of_run = number_of(part, DSPY_OPTIMIZER_COST)
        used = number_of(part, DSPY_OPTIMIZER_METRIC_CALLS)
        left = number_of(part, DSPY_OPTIMIZER_METRIC_CALLS_REMAINING)
        cost = number_of(part, DSPY_USAGE_COST) or 0.0
        if used is None or left is None:
            self._costs.add(cost)
            self._spent = self._spent + cost if cost_of_run is None else cost_of_run
            return
        # GEPA's trials differ much, and what it has of them is bounded by metric calls.
        self.total = int(used + left)
        spent = self._spent + cost if cost_of_run is None else cost_of_run
        if used > self._done:
            self._costs.add(spent - self._spent, int(used) - self._done)
            self._done, self._spent = int(used), spent

    def words(self, paid: float, begun: int) -> tuple[str, str, str]:
        """Return what it costs in a minute, what it will have cost, and how long it will take; empty where not known.

        ``paid`` is what was paid by now, also for the ``begun`` parts that have not ended. Where nothing was, there is
        nothing to say but the time.
        """
        if self.total is None or not self._costs.parts:
            return "", "", ""
        left = max(0, self.total - self._costs.parts)
        seconds = time.monotonic() - self._began
        paid = max(paid, self._spent)
        begun = left if self._done else min(begun, left)
        projection = project(self._costs, paid, left, seconds, begun=paid - self._spent, parts_begun=begun)
        seconds_left = int(projection.seconds_left or 0)
        remaining = f"{seconds_left} s left" if seconds_left < _SECONDS_IN_MINUTE else _minutes(seconds_left)
        if not paid:
            return "", "", remaining
        rate = f"{money_words(projection.per_second * _SECONDS_IN_MINUTE)}/min"
        return rate, _expected(projection), remaining


def outlook_of(span: ReadableSpan) -> Outlook | None:
    """Return the outlook of a span that begins; ``None`` unless it is an evaluation or an optimizer run."""
    if span.name.startswith("evaluate") and (examples := number_of(span, DSPY_EVALUATE_EXAMPLES)) is not None:
        return Outlook(int(examples))
    if span.name.startswith("optimize "):
        trials = number_of(span, DSPY_OPTIMIZER_PLANNED_TRIALS)
        return Outlook(None if trials is None else int(trials))
    return None


def _minutes(seconds: int) -> str:
    return f"{duration_words(seconds * _NANOSECONDS)} left"


def _expected(projection: Projection) -> str:
    said = f"about {money_words(projection.cost or 0.0)} in all"
    if projection.low is None or projection.high is None:
        return said
    return f"{said} ({money_words(projection.low)} to {money_words(projection.high)})"
