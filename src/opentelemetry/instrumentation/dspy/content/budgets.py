"""How much content one span may hold: characters, of which a part is kept for what the call answers."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MAX_MARKED", "MESSAGE", "PART", "Budget"]

MAX_MARKED = 8
"""Messages, or parts of one, that are told by their kind and length where nothing is left; the others by number."""

SHORT = 64
"""Characters of a text that is recorded where nothing is left for longer ones: a name, an id, a word."""

ITEM = 8
"""Characters that an item of a list or mapping counts for beside its text: what JSON puts around it."""

MESSAGE = 64
"""The same of a message with its first part."""

PART = 16
"""The same of one part of a list of parts."""


@dataclass(slots=True)
class Budget:
    """Characters that are left for the content of one span."""

    left: int
    kept: int = 0
    """Kept for what the call answers, until it does."""
    for_names: int = 0
    """Kept for short texts."""

    @classmethod
    def of(cls, limit: int) -> Budget:
        """Return the budget of a span: a quarter is kept for the answer, a sixteenth for short texts."""
        kept, for_names = limit // 4, limit // 16
        return cls(limit - kept - for_names, kept, for_names)

    @property
    def is_spent(self) -> bool:
        """Whether there is nothing left but for short texts; no work need be done for others."""
        return self.left <= 0

    @property
    def is_exhausted(self) -> bool:
        """Whether there is nothing left for short texts either."""
        return self.left <= 0 and self.for_names <= 0

    def room_for(self, length: int) -> int:
        """Return how many characters of a text of some length may be recorded."""
        if self.left > 0:
            return self.left
        return SHORT if length <= SHORT and length <= self.for_names else 0

    def spend(self, length: int) -> None:
        """Take note of characters that are recorded."""
        if self.left > 0:
            self.left -= length
        else:
            self.for_names -= length

    def make_room_for_answer(self) -> None:
        """Let what was kept for the answer be used; where it was used already do nothing."""
        self.left, self.kept = max(self.left, 0) + self.kept, 0

    @contextmanager
    def share(self, others: int) -> Iterator[None]:
        """Let what is recorded inside use its share alone, where so many others are to come that want as much."""
        held = max(self.left, 0) * others // (others + 1)
        self.left -= held
        try:
            yield
        finally:
            self.left = max(self.left, 0) + held
