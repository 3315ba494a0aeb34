"""The exceptions that ended calls inside a call: one that goes on and ends the call itself was told of already.

Nothing is put onto the exceptions, and none is kept: see ``known_errors``.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .known_errors import KnownError
from .slots import OwnSlot

if TYPE_CHECKING:
    from .context import Call

__all__ = ["PASSED", "Passage", "PassingErrors", "let_out", "passage_in", "tell_inside"]

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

    __slots__ = ("_passages",)

    def __init__(self) -> None:
        self._passages: deque[Passage] = deque(maxlen=MAX_ERRORS)

    def passage_of(self, error: BaseException) -> Passage | None:
        """Return what was told of an exception inside, ``None`` where it comes from the call itself."""
        return next((known for known in reversed([*self._passages]) if known.error.is_of(error)), None)

    def note(self, error: BaseException, *, is_on_span: bool, is_logged: bool) -> None:
        """Take note of an exception that was told of inside."""
        self._passages.append(Passage(KnownError(error), is_on_span, is_logged))


PASSED: Final = OwnSlot[PassingErrors]("passing errors")
"""What came out of the calls inside a call; there from the first exception on."""


def passage_in(call: Call, error: BaseException) -> Passage | None:
    """Return what was told inside a call of an exception that ended it, ``None`` where it is the call's own."""
    passed = PASSED.of(call)
    return None if passed is None else passed.passage_of(error)


def let_out(call: Call, error: BaseException, *, is_on_span: bool, is_logged: bool) -> None:
    """Tell the next call around that tells of exceptions that one is on its way to it."""
    if call.caller is not None:
        tell_inside(call.caller, error, is_on_span=is_on_span, is_logged=is_logged)


def tell_inside(call: Call, error: BaseException, *, is_on_span: bool, is_logged: bool) -> None:
    """Tell a call, or the next one around it that tells of exceptions, of one that was told of inside."""
    telling = next((each for each in call.outwards() if each.tells_errors), None)
    if telling is not None:
        passed = PASSED.of(telling)
        if passed is None:
            passed = PassingErrors()
            PASSED.put(telling, passed)
        passed.note(error, is_on_span=is_on_span, is_logged=is_logged)
