"""Functions whose call does nothing yet: what it hands out does the work later, when it is awaited or iterated."""

from __future__ import annotations

import inspect

__all__ = ["works_later"]


def works_later(function: object) -> bool:
    """Whether it is a coroutine function, or a generator function of either kind."""
    return (
        inspect.iscoroutinefunction(function)
        or inspect.isgeneratorfunction(function)
        or inspect.isasyncgenfunction(function)
    )
