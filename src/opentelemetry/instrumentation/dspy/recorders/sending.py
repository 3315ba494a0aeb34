"""Where a client of DSPy sends a request with a library of somebody else, behind DSPy's cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..budgets.enforcement import BOUNDS, admit

if TYPE_CHECKING:
    from ..context import Call

__all__ = ["SendingRecorder"]


class SendingRecorder:
    """A place that is passed once for each call that is to be sent, behind DSPy's cache."""

    def begin(self, call: Call) -> None:
        """Let it go on, or stop it where a budget is used up."""
        if BOUNDS.are_set:
            admit()
