"""The beginning and the end of a block with bounds."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from .bounded_scopes import BoundedScope, bounded_scopes
from .enforcement import BOUNDS
from .stop import BudgetStop

if TYPE_CHECKING:
    from ..usage import UsageScope
    from .bounds import Bounds

__all__ = ["leave_bounds", "let_bounds_be_kept", "open_bounds"]

_logger = logging.getLogger(__name__)

_are_kept = [False]


def let_bounds_be_kept(kept: bool) -> None:
    """Set whether DSPy is instrumented, so that bounds can be kept at all."""
    _are_kept[0] = kept


def open_bounds(parent: UsageScope | None, bounds: Bounds) -> BoundedScope:
    """Return the total of a block that has bounds.

    Raises ``RuntimeError`` where DSPy is not instrumented: nothing would be counted, and nothing stopped.
    """
    if not _are_kept[0]:
        raise RuntimeError(
            "usage_scope() cannot keep its bounds, because DSPy is not instrumented: call "
            "DSPyInstrumentor().instrument() before, or start the program by opentelemetry-instrument."
        )
    BOUNDS.are_set = True
    return BoundedScope(parent, bounds=bounds)


def leave_bounds(scope: BoundedScope, error: BaseException | None) -> None:
    """Take note of the end of a block; say so where calls were not sent, and the block came to its end all the same."""
    scope.is_left = True
    if error is None and scope.exceeded is not None:
        _logger.warning(
            "A usage_scope came to its end although calls in it were not sent: what it has may be unfinished. %s",
            _stop_in(scope),
        )


def _stop_in(scope: BoundedScope) -> BudgetStop | str:
    """Return what stopped the calls in a block: its own bound, or that of a budget around it."""
    used_up = ((each, bound) for each in bounded_scopes(scope) if (bound := each.reached()) is not None)
    return next((BudgetStop(each, bound) for each, bound in used_up), f"It was for {scope.exceeded}.")
