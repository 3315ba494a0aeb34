"""What one recorded call has opened: it ends with the call, whatever happens in between.

A recorder ends what it opened itself, with all that it knows by then. Where it fails before it comes to that, what is
still open is ended here, in one place for all recorders.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol, TypeVar

from opentelemetry.context import attach, get_current
from opentelemetry.trace import get_current_span

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.context import Context

__all__ = ["Opening", "Openings", "carry_on", "note"]

Argument = TypeVar("Argument")
Result = TypeVar("Result")


class Opening(Protocol):
    """Something that is open: a span, a context that was entered."""

    def end(self, error: BaseException | None) -> object:
        """End it, with the error that ended the call if one did; do nothing where it has ended."""


class _Noting(threading.local):
    """Whose openings are noted in this thread; a recorder begins without a pause, so no task comes between."""

    openings: Openings | None = None


_noting = _Noting()


def note(opening: Opening) -> None:
    """Let the call that begins in this thread, if one does, answer for the end of what was opened."""
    if _noting.openings is not None:
        _noting.openings.add(opening)


def carry_on(describe: Callable[..., object], *arguments: object) -> None:
    """Do what the beginning of a call can do without: where it fails, its call is recorded all the same.

    What fails is told of once, like every failure of ours.
    """
    try:
        describe(*arguments)
    except Exception as error:
        if _noting.openings is None:
            raise
        _noting.openings.failures.append(error)


class Openings:
    """The openings of one call."""

    __slots__ = ("_open", "failures")

    def __init__(self) -> None:
        self._open: list[Opening] = []
        self.failures: list[Exception] = []
        """What went wrong in the beginning and did not end it."""

    def add(self, opening: Opening) -> None:
        """Take note of one; they end in reverse order."""
        self._open.append(opening)

    def begin(self, begin: Callable[[Argument], Result], argument: Argument) -> Result:
        """Return what the function returns, and take note of what it opens.

        If it raises, nothing stays open, the context is the one before, and the exception goes on.
        """
        before, outer = get_current(), _noting.openings
        _noting.openings = self
        try:
            return begin(argument)
        except BaseException:
            try:
                self.end(None)
            finally:
                _go_back_to(before)
            raise
        finally:
            _noting.openings = outer

    def end(self, error: BaseException | None) -> None:
        """End what is open still; what one of them raises keeps none of the others open."""
        while self._open:
            opening = self._open.pop()
            try:
                opening.end(error)
            except BaseException:
                self.end(error)
                raise


def _go_back_to(context: Context) -> None:
    """Leave what nobody noted: util-genai may fail between the start of a span and the moment when it hands it out."""
    if get_current() is context:
        return
    left_open = get_current_span()
    attach(context)
    if left_open is not get_current_span():
        left_open.end()
