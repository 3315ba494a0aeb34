"""What OpenTelemetry and this library log while the doctor works: heard, and told as findings."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["HeardLog"]

_ROOT = "opentelemetry"


class _Keeper(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[tuple[str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the first line; what follows in one is a stack."""
        text = record.getMessage().strip().splitlines()
        error = record.exc_info[1] if record.exc_info else None
        why = f": {type(error).__name__}: {error}" if error is not None else ""
        self.lines.append((record.name, f"{text[0] if text else ''}{why}"))


class HeardLog:
    """Hears the loggers below ``opentelemetry`` while it is entered, and keeps their lines from everybody else.

    They stay kept when it is left: what the SDK says at the end of the process is no finding any more.
    """

    def __init__(self) -> None:
        self._keeper = _Keeper()
        self.last = ""
        """The last line that was taken."""

    def __enter__(self) -> HeardLog:
        logger = logging.getLogger(_ROOT)
        logger.addHandler(self._keeper)
        logger.propagate = False
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave the logger as it is."""

    def take(self, *below: str) -> list[str]:
        """Return what the loggers of those names, or below them, said since they were asked last; of none, all."""
        taken = [line for line in self._keeper.lines if not below or line[0].startswith(below)]
        self._keeper.lines = [line for line in self._keeper.lines if line not in taken]
        self.last = taken[-1][1] if taken else self.last
        return list(dict.fromkeys(text for _, text in taken))
