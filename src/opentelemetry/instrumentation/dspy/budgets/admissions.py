"""One call of a language model or an embedder, as the budgets around it count it: once, from its sending to its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ..locks import ForkSafeLock
from ..openings import note
from ..slots import Slot
from ..usage import SCOPE
from .bounded_scopes import bounded_scopes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..context import Call, Opening
    from .bounded_scopes import BoundedScope

__all__ = ["ADMISSION", "COUNTING", "Admission", "open_admission"]

COUNTING: Final = ForkSafeLock()
"""Held while budgets are asked and count, so that no two calls take the same place."""


@dataclass(slots=True, eq=False)
class Admission:
    """What a call, with all that is asked inside it, is to the budgets that it lies in.

    However many requests it takes, it is one call: with retries, with several replies, where code of the application's
    goes from one language model to the next, and where an embedder has several batches.
    """

    around: Sequence[BoundedScope]
    """The budgets that the call lies in; to one that its own code opens, each request is a call."""
    is_free: bool = False
    """Whether nothing was sent for it: DSPy's cache answered it, or it was refused."""
    below: Opening | None = None
    _counted_by: list[BoundedScope] = field(default_factory=list)

    def is_counted_by(self, scope: BoundedScope) -> bool:
        """Return whether a budget has the call in its count, so that a further request of it is no further call."""
        return any(each is scope for each in self._counted_by)

    def note_counted(self, scope: BoundedScope) -> None:
        """Take note that a budget counted it."""
        if any(each is scope for each in self.around):
            self._counted_by.append(scope)
            scope.begin_call()

    def note_refused(self) -> None:
        """Take note that a request of it was not sent."""
        self.is_free = not self._counted_by

    def end(self, error: BaseException | None) -> None:
        """Tell the budgets that the call is under way no longer."""
        with COUNTING:
            if error is None and not self.is_free and not self._counted_by:
                # It went to DSPy's client before, and did it by itself this time.
                for each in self.around:
                    each.admitted += 1
            while self._counted_by:
                self._counted_by.pop().end_call(is_free=self.is_free)


ADMISSION: Final = Slot[Admission]("admission")
"""The outermost call of a language model, or of an embedder, that a request is made for."""


def open_admission(call: Call) -> Admission:
    """Begin to count a call that is no part of another one; it ends with the call."""
    admission = Admission(bounded_scopes(SCOPE.of(call)))
    ADMISSION.put(call, admission)
    note(call, admission)
    return admission
