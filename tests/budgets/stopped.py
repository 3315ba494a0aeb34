"""Work that runs into a bound."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from opentelemetry.instrumentation.dspy import BudgetExceededError, UsageScope, usage_scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["QUESTIONS", "ask", "stopped", "stopped_scope", "wait_for_workers"]

QUESTIONS = [f"Question {number}?" for number in range(40)]


def ask(program: Any, questions: Iterable[str] = tuple(QUESTIONS)) -> None:
    """Ask a program one question after the other."""
    for question in questions:
        program(question=question)


def stopped(work: Callable[[], object], **bounds: Any) -> BudgetExceededError:
    """Return the error that ends some work in a block with bounds."""
    return stopped_scope(work, **bounds)[0]


def stopped_scope(work: Callable[[], object], **bounds: Any) -> tuple[BudgetExceededError, UsageScope]:
    """Return the same and the total of the block."""
    with pytest.raises(BudgetExceededError) as caught, usage_scope(**bounds) as usage:
        work()
    return caught.value, usage


def wait_for_workers() -> None:
    """Wait for threads that DSPy leaves behind: what they send counts too."""
    for thread in threading.enumerate():
        if thread.name.startswith(("ThreadPoolExecutor", "AnyIO")):
            thread.join(timeout=110)
