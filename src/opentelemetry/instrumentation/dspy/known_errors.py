"""An exception that is known again on its way out, without being kept until then.

An exception holds its traceback, a traceback its frames, and a frame all that a function of the program had in hand:
whoever keeps one keeps connections out of their pool.
"""

from __future__ import annotations

import weakref
from itertools import islice
from typing import TYPE_CHECKING, Any

from .error_texts.tracebacks import steps_of

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["KnownError"]

MAX_STEPS = 1_000
"""Steps of a traceback, from the outermost on, that are looked at."""


class KnownError:
    """What an exception is known by that ended a call: itself, weakly, or else its address and the place of the call.

    Python's own classes, and those with slots, allow no weak reference. The address of one that is gone may be another
    one's soon, but the traceback of that one has no step of the same call in it.
    """

    __slots__ = ("_identity", "_place", "_reference")

    def __init__(self, error: BaseException) -> None:
        self._reference: weakref.ref[BaseException] | None
        try:
            self._reference = weakref.ref(error)
        except TypeError:
            self._reference = None
            self._identity = _identity_of(error)
            self._place = next(_places_of(error), None)

    @property
    def is_held(self) -> bool:
        """Whether it is the exception itself that it is known by."""
        return self._reference is not None

    def is_of(self, error: BaseException) -> bool:
        """Return whether an exception is the one that is known."""
        if self._reference is not None:
            return self._reference() is error
        if self._identity != _identity_of(error):
            return False
        return any(place == self._place for place in islice(_places_of(error), MAX_STEPS))


def _identity_of(error: BaseException) -> tuple[int, int]:
    return id(error), id(type(error))


def _places_of(error: BaseException) -> Iterator[tuple[Any, ...]]:
    """Yield the steps of a traceback: those that are there when an exception ends a call stay below all later ones."""
    for step in steps_of(error):
        yield id(step), id(step.tb_frame), id(step.tb_frame.f_code), step.tb_lasti
