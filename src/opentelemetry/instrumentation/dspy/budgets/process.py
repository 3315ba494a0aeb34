"""The budget of a whole process: ``OTEL_INSTRUMENTATION_DSPY_BUDGET_USD``, for programs that are not changed."""

from __future__ import annotations

import logging
import math
import os
from typing import TYPE_CHECKING

from ..amounts import money_words
from ..config import BUDGET_USD
from ..context import NO_CALL
from ..usage import SCOPE
from ..variables import log_invalid
from .bounded_scopes import BoundedScope
from .bounds import Bounds
from .enforcement import BOUNDS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["bound_process", "budget_in", "leave_process_unbounded"]

_logger = logging.getLogger(__name__)

_kept: list[BoundedScope] = []


def bound_process(environment: Mapping[str, str] | None = None) -> None:
    """Put everything that the process calls into one budget, if the environment has one, and say so.

    What was spent stays spent where DSPy is instrumented anew.
    """
    dollars = budget_in(os.environ if environment is None else environment)
    if dollars is None:
        return
    scope = next((each for each in _kept if each.bounds.max_cost == dollars), None)
    if scope is None:
        scope = BoundedScope(bounds=Bounds(max_cost=dollars), is_process=True)
        _kept.append(scope)
    SCOPE.put(NO_CALL, scope)
    BOUNDS.are_set = True
    _logger.warning(
        "%s is set: once this process has spent %s on language models and embeddings, its next call is not sent, and "
        "DSPy raises BudgetExceededError instead. Answers from DSPy's cache go on. Each process counts for itself.",
        BUDGET_USD,
        money_words(dollars),
    )


def budget_in(variables: Mapping[str, str]) -> float | None:
    """Return the budget that the environment names, in US dollars; what is none is logged."""
    text = variables.get(BUDGET_USD, "").strip()
    if not text:
        return None
    try:
        dollars = float(text.removeprefix("$"))
    except ValueError:
        dollars = math.nan
    if math.isfinite(dollars) and dollars >= 0:
        return dollars
    takes = "it takes a number of US dollars from zero up. This process has NO budget."
    log_invalid(BUDGET_USD, text, takes, logging.ERROR)
    return None


def leave_process_unbounded() -> None:
    """Take the budget away, as DSPy is not instrumented any more."""
    SCOPE.put(NO_CALL, None)


def _begin_anew() -> None:
    """Let a process that was just forked count for itself, and from zero."""
    for scope in _kept:
        scope.begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
