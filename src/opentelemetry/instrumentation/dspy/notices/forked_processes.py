"""Processes that ``multiprocessing`` has forked: they end without the end of Python, and lose what waits for export.

The SDK sends its last batch in ``atexit``, which such a process does not come to (``multiprocessing.popen_fork``).
"""

from __future__ import annotations

import contextlib
import mmap
import os
from typing import TYPE_CHECKING, Any

from wrapt import register_post_import_hook

from ..delivery.signals import spans_waiting_in
from .lines import tell

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["watch_for_lost_spans"]

_AFTER_ALL_OTHERS = -100
"""The priority of what ``multiprocessing`` does at the end of a process: a program that delivers there is before it."""


class _Watch:
    """What this process, and those that are forked from it, know of the provider and of what was told."""

    def __init__(self) -> None:
        self.provider: Callable[[], Any] | None = None
        self.is_asked_for = False
        self.is_forked = False
        self.told: mmap.mmap | None = None
        """One byte that all forked processes have in common: the first of them tells."""

    def start(self, util: Any) -> None:
        """Be called in each process that ``multiprocessing`` starts from now on."""
        self.told = mmap.mmap(-1, 1)
        util.register_after_fork(self, lambda watch: watch.wait_for_end(util))

    def wait_for_end(self, util: Any) -> None:
        """Look at the provider when the process ends, if it was forked: others come to the end of Python."""
        if self.is_forked:
            util.Finalize(None, self.look, exitpriority=_AFTER_ALL_OTHERS)

    def look(self) -> None:
        """Tell of spans that wait and will not be sent; never raise."""
        with contextlib.suppress(Exception):
            waiting = 0 if self.provider is None else spans_waiting_in(self.provider())
            if not waiting or self.told is None or self.told[0]:
                return
            self.told[0] = 1
            tell(
                "spans lost in a forked process",
                f"a process that multiprocessing has forked ends with {waiting} spans that were not sent yet, and they "
                "are lost: the SDK sends its last batch at the end of Python, to which such a process does not come. "
                "Call force_flush() of the tracer provider at the end of its work, or have it called by "
                "multiprocessing.util.Finalize. Other processes like it are not told of.",
            )

    def note_fork(self) -> None:
        """Take note, in a process that was just forked, that it is one."""
        self.is_forked = True


_WATCH = _Watch()


def watch_for_lost_spans(provider: Callable[[], Any] | None) -> None:
    """Tell of the first forked process that ends with spans of this provider unsent; of none with ``None``."""
    _WATCH.provider = provider
    if provider is None or _WATCH.is_asked_for or not hasattr(os, "register_at_fork"):
        return
    _WATCH.is_asked_for = True
    os.register_at_fork(after_in_child=_WATCH.note_fork)
    register_post_import_hook(_WATCH.start, "multiprocessing.util")
