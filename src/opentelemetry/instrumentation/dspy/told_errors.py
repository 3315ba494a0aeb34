"""What was told of errors inside of one outermost call, and what calls in it exchanged that no module is around."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from .error_texts.rewriting import text_of
from .known_errors import KnownError
from .slots import OwnSlot

if TYPE_CHECKING:
    from collections.abc import Collection

    from .context import Call

__all__ = ["TOLD", "ToldErrors", "told_in"]

MAX_TOLD = 8
"""Texts of exceptions that are kept while their outermost call runs."""

MAX_EXCHANGED = 64
"""Calls that no module is around whose values are remembered while an outermost call runs."""

MAX_CREDENTIALS = 256
"""Credentials of failed calls that are kept as long."""


class ToldErrors:
    """The texts of the latest exceptions of one outermost call, each of which passes many calls on its way out.

    Calls further out know nothing of the client that failed, and its key must not come up in their texts either.
    """

    __slots__ = ("_credentials", "_exchanged", "_texts")

    def __init__(self) -> None:
        self._texts: deque[_Told] = deque(maxlen=MAX_TOLD)
        self._credentials: dict[str, None] = {}
        self._exchanged: deque[Any] | None = None

    def credentials(self, known: Collection[str]) -> list[str]:
        """Return the credentials that a failed call knows, with those of the calls that failed before it."""
        for credential in known:
            if len(self._credentials) < MAX_CREDENTIALS:
                self._credentials.setdefault(credential)
        return [*self._credentials, *known]

    def remember(self, *values: Any) -> None:
        """Note what a call that no module is around was given and what it answered."""
        if self._exchanged is None:
            self._exchanged = deque(maxlen=MAX_EXCHANGED)
        self._exchanged.append(values)

    @property
    def exchanged(self) -> list[Any]:
        """What such calls were given and answered, the latest first."""
        return [*reversed([*(self._exchanged or ())])]

    def of(self, error: BaseException) -> str | None:
        """Return what was told of an exception, if anything was."""
        known = self._known(error)
        return None if known is None else known.text

    def left_out_of(self, error: BaseException) -> int:
        """Return how many characters of its text were not looked at."""
        known = self._known(error)
        return 0 if known is None else known.left_out

    def add(self, error: BaseException, text: str, left_out: int) -> None:
        """Note what was told of an exception."""
        self._texts.append(_Told(KnownError(error), _mark_of(error), text, left_out))

    def _known(self, error: BaseException) -> _Told | None:
        return next((told for told in [*self._texts] if told.is_of(error)), None)


TOLD: Final = OwnSlot[ToldErrors]("told errors")
"""What was told inside an outermost call."""


def told_in(call: Call) -> ToldErrors | None:
    """Return what was told inside the outermost call around one, ``None`` where there is no call."""
    *_, outermost = (None, *call.outwards())
    if outermost is None:
        return None
    told = TOLD.of(outermost)
    if told is None:
        told = ToldErrors()
        TOLD.put(outermost, told)
    return told


@dataclass(frozen=True, slots=True)
class _Told:
    """What was told of an exception, which is not kept itself."""

    error: KnownError
    mark: int
    text: str
    left_out: int
    """Characters of its text that were not looked at."""

    def is_of(self, error: BaseException) -> bool:
        # A second failure of the same function may lie where the first one lay, each step of its traceback too.
        return self.error.is_of(error) and (self.error.is_held or self.mark == _mark_of(error))


def _mark_of(error: BaseException) -> int:
    return str.__hash__(text_of(error))
