"""Failures of the instrumentation itself: each kind is told once, and none reaches the program."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Complaints", "without_text"]

_logger = logging.getLogger(__name__)


class Complaints:
    """What has been complained of so far."""

    __slots__ = ("_made",)

    def __init__(self) -> None:
        self._made: set[tuple[str, type]] = set()

    def about(self, recorder: object, error: Exception) -> None:
        """Log a failure at WARNING, once for each class of recorder and type of exception."""
        key = (type(recorder).__name__, type(error))
        if key in self._made:
            return
        self._made.add(key)
        # The application's logging may raise as well, from a filter or a handler, and the call must go on.
        with contextlib.suppress(Exception):
            _logger.warning(
                "%s failed; the DSPy call goes on without its telemetry. Further failures of this kind are not logged.",
                type(recorder).__name__,
                exc_info=without_text(error),
            )


def without_text(error: Exception) -> tuple[type[BaseException], BaseException, TracebackType | None]:
    """Return an exception for a log, with its class and its stack; its text may quote what the program was given."""
    try:
        silent: BaseException = type(error).__new__(type(error))
        silent.args = ()
        silent = silent if not str(silent) else Exception()
    except Exception:  # noqa: BLE001 - not every class can be made out of nothing
        silent = Exception()
    return type(error), silent, error.__traceback__
