"""The exceptions that ended calls inside a call: one that goes on and ends the call itself was told of already.

Nothing is put onto the exceptions, and none is kept: see ``known_errors``.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from .known_errors import KnownError

__all__ = ["Passage", "PassingErrors"]

MAX_ERRORS = 64
"""Exceptions that are known at one call: those that ended the latest calls inside it."""


@dataclass(frozen=True, slots=True)
class Passage:
    """What was told of an exception on its way out."""

    error: KnownError
    is_on_span: bool
    """Whether an event on a span told of it."""
    is_logged: bool
    """Whether a log event did."""


class PassingErrors:
    """What came out of the calls inside one call that tells of exceptions."""

    __slots__ = ("_around", "_passages")

    def __init__(self, around: PassingErrors | None = None) -> None:
        self._around = around
        self._passages: deque[Passage] | None = None

    def passage_of(self, error: BaseException) -> Passage | None:
        """Return what was told of an exception inside, ``None`` where it comes from the call itself."""
        passages = self._passages
        return next((known for known in reversed([*(passages or ())]) if known.error.is_of(error)), None)

    def let_out(self, error: BaseException, *, is_on_span: bool, is_logged: bool) -> None:
        """Tell the call around that an exception is on its way to it."""
        if self._around is not None:
            self._around.note(error, is_on_span=is_on_span, is_logged=is_logged)

    def note(self, error: BaseException, *, is_on_span: bool, is_logged: bool) -> None:
        """Take note of an exception that was told of inside."""
        if self._passages is None:
            self._passages = deque(maxlen=MAX_ERRORS)
        self._passages.append(Passage(KnownError(error), is_on_span, is_logged))
