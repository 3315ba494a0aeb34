"""What this library logs reaches standard error also where the application's logging takes it elsewhere.

With ``opentelemetry-instrumentation-logging``, or any handler of the root logger that exports, a warning about a
misspelt option goes to the backend alone, where nobody looks for it while nothing arrives there.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import TYPE_CHECKING

from .lines import tell

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["handlers_elsewhere", "is_silenced", "show_warnings", "tell_of_conflict"]

_LOGGERS = ("opentelemetry.instrumentation.dspy", "opentelemetry.util.genai")
"""This library's, and that of the library which reads the options of the GenAI conventions for it."""

_OF_INSTRUMENTORS = "opentelemetry.instrumentation.instrumentor"


class _Witness(logging.Handler):
    """Sees every warning of this library, and tells those that no other handler shows."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._shown: set[tuple[str, str]] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Leave a record to the handlers that show it, to Python's last resort where there is none, else tell it."""
        # What a handler raises would reach whoever logs.
        with contextlib.suppress(Exception):
            self._show(record)

    def _show(self, record: logging.LogRecord) -> None:
        others = [handler for handler in _handlers_of(record.name) if handler is not self]
        if not others:
            last_resort = logging.lastResort
            # util-genai says with each call again that a value is none.
            said = (record.name, record.getMessage())
            if last_resort is not None and record.levelno >= last_resort.level and said not in self._shown:
                self._shown.add(said)
                last_resort.handle(record)
        elif not _is_shown_by(others, record.levelno):
            text = record.getMessage()
            tell(("log", text), text)


_witness = _Witness()


def show_warnings() -> None:
    """Let warnings of this library be seen from now on, whatever the application does with its log."""
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        if _witness not in logger.handlers:
            logger.addHandler(_witness)
    for name, known in list(logging.root.manager.loggerDict.items()):
        # logging.config disables all loggers that there are, unless it is told to leave them.
        if name.startswith(_LOGGERS) and isinstance(known, logging.Logger):
            known.disabled = False


def is_silenced(exporter: object) -> bool:
    """Return whether an exporter of OpenTelemetry's logs what goes wrong by a logger that is disabled."""
    names = {ancestor.__module__ for ancestor in type(exporter).__mro__}
    known = logging.root.manager.loggerDict
    of_exporters = [known.get(name) for name in names if name.startswith("opentelemetry.exporter.")]
    return any(isinstance(logger, logging.Logger) and logger.disabled for logger in of_exporters)


def handlers_elsewhere() -> list[logging.Handler]:
    """Return the handlers of the root logger where none of them shows a warning to whoever starts the program."""
    return [] if _is_shown_by(logging.root.handlers, logging.WARNING) else logging.root.handlers


def tell_of_conflict(conflict: object) -> None:
    """Tell why DSPy is not instrumented, where the log that OpenTelemetry writes that to is not seen.

    ``conflict`` is what ``BaseInstrumentor`` found, ``None`` for nothing.
    """
    handlers = [*_handlers_of(_OF_INSTRUMENTORS)]
    if conflict is not None and handlers and not _is_shown_by(handlers, logging.ERROR):
        tell("conflict", f"DSPy is not instrumented: {conflict}")


def _is_shown_by(handlers: list[logging.Handler], level: int) -> bool:
    return any(level >= handler.level and _is_seen(handler) for handler in handlers)


def _handlers_of(name: str) -> Iterator[logging.Handler]:
    logger: logging.Logger | None = logging.getLogger(name)
    while logger is not None:
        yield from logger.handlers
        logger = logger.parent if logger.propagate else None


def _is_seen(handler: logging.Handler) -> bool:
    """Return whether a handler writes where a person who starts the program looks; rich's keeps a console."""
    stream = getattr(handler, "stream", None) or getattr(getattr(handler, "console", None), "file", None)
    return stream is not None and stream in (sys.stderr, sys.stdout, sys.__stderr__, sys.__stdout__)
