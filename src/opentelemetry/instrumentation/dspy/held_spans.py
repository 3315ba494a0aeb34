"""A span that ends later than it was told to, with the time at which it was told."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol

import wrapt

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    _ObjectProxy = wrapt.ObjectProxy[Any]
else:
    # wrapt's classes take parameters in their stubs alone.
    _ObjectProxy = wrapt.ObjectProxy

__all__ = ["HeldSpan", "Holdable"]


class HeldSpan(_ObjectProxy):
    """A span whose end is put off: it takes attributes until it is let go, and ends with the time it was told to end.

    All else is the span's own.
    """

    def __init__(self, span: Span) -> None:
        super().__init__(span)
        self._self_held = True
        self._self_ended_at: int | None = None

    def end(self, end_time: int | None = None) -> None:
        """Note the time, in nanoseconds since the epoch, by default now; end only if the span was let go before."""
        self._self_ended_at = time.time_ns() if end_time is None else end_time
        if not self._self_held:
            self.__wrapped__.end(self._self_ended_at)

    def let_go(self) -> None:
        """End the span if it was told to end; from now on it ends when it is told to."""
        self._self_held = False
        if self._self_ended_at is not None:
            self.__wrapped__.end(self._self_ended_at)


class Holdable(Protocol):
    """An open span whose end can be put off."""

    @property
    def attributes(self) -> dict[str, Any]:
        """Set on the span at its end."""

    def hold(self) -> HeldSpan:
        """Put off the end of the span."""
