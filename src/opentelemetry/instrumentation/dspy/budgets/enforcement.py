"""Where a call is about to be sent: it goes on, or what it runs in is stopped in its place.

Nothing here costs a call anything while no bound was ever set: recorders ask ``BOUNDS.are_set`` first.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from .. import semconv
from ..context import current_call
from ..usage import SCOPE, outwards
from .admissions import ADMISSION, COUNTING
from .bounded_scopes import bounded_scopes
from .stop import BudgetStop

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    from opentelemetry.metrics import Counter

    from ..context import Call
    from ..usage import UsageScope
    from .bounded_scopes import BoundedScope
    from .bounds import Bound

__all__ = ["BOUNDS", "admit", "count_exceeded_with", "is_used_up"]

_logger = logging.getLogger(__name__)


class _Bounds:
    """Whether the process has ever had a bound; what runs on behind one that was left must keep it."""

    __slots__ = ("are_set",)

    def __init__(self) -> None:
        self.are_set = False


BOUNDS: Final = _Bounds()

_counted_with: list[Counter | None] = [None]


def count_exceeded_with(counter: Counter | None) -> None:
    """Set the counter of budgets that are used up."""
    _counted_with[0] = counter


def admit(call: Call | None = None) -> None:
    """Let a call that is about to be sent go on, and count it; raise ``BudgetStop`` where a bound is reached.

    It is the innermost of those that are. Called behind DSPy's cache: what that answers is free, and goes on. A call
    of which something was sent before is not counted again. ``call``: one that has begun and is not yet current.
    """
    call = current_call() if call is None else call
    scope, admission = SCOPE.of(call), ADMISSION.of(call)
    with COUNTING:
        bounded = bounded_scopes(scope)
        further = [each for each in bounded if admission is None or not admission.is_counted_by(each)]
        reached = _innermost_reached(bounded, further)
        if reached is None:
            for each in further:
                each.admitted += 1
                if admission is not None:
                    admission.note_counted(each)
        elif admission is not None:
            admission.note_refused()
    _warn_if_blind(bounded)
    if reached is not None:
        _refuse(scope, *reached)


def is_used_up(scope: UsageScope | None) -> bool:
    """Return whether a call in a scope would not be sent, and note that it is for that that something ends there."""
    bounded = bounded_scopes(scope)
    reached = _innermost_reached(bounded, bounded)
    if reached is None:
        return False
    _note(scope, *reached)
    return True


def _innermost_reached(
    bounded: Sequence[BoundedScope], further: Sequence[BoundedScope]
) -> tuple[BoundedScope, Bound] | None:
    """Return the innermost budget that is used up; ``further``: those to which it is a further call."""
    for each in bounded:
        bound = each.reached(is_begun=each not in further)
        if bound is not None:
            return each, bound
    return None


def _refuse(scope: UsageScope | None, bounded: BoundedScope, bound: Bound) -> NoReturn:
    _note(scope, bounded, bound)
    raise BudgetStop(bounded, bound)


def _note(scope: UsageScope | None, bounded: BoundedScope, bound: Bound) -> None:
    """Mark the totals in which something was not sent, up to that of the budget, and count the budget once."""
    with COUNTING:
        is_first = bounded.exceeded is None
        if is_first or (scope is not None and scope.exceeded is None):
            for each in outwards(scope):
                if each.exceeded is None and any(around is bounded for around in outwards(each)):
                    each.exceeded = bound
            bounded.exceeded = bounded.exceeded or bound
    if not is_first:
        return
    counter = _counted_with[0]
    if counter is not None:
        counter.add(1, {semconv.DSPY_BUDGET_BOUND: bound})
    if bounded.is_process:
        _logger.error("The budget of this process is used up. %s", BudgetStop(bounded, bound))


def _warn_if_blind(bounded: list[BoundedScope]) -> None:
    for each in bounded:
        if not each.has_warned and each.is_blind:
            each.has_warned = True
            _logger.warning(
                "max_cost=%g does not see what calls of these models cost, because no price of them is known and no "
                "other call shows what a token may cost: %s. Bound them by max_tokens or max_calls, or refuse them "
                "with on_unknown='refuse'.",
                each.bounds.max_cost,
                ", ".join(sorted(model for model, usage in each.by_model.items() if usage.cost_unknown_calls)),
            )
