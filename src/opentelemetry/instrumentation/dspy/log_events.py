"""Log events on their way to the application's logger provider, whose processors may do anything."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

from .wrapping.complaints import without_text

if TYPE_CHECKING:
    from opentelemetry._logs import Logger, LogRecord

__all__ = ["emit_event"]

_logger = logging.getLogger(__name__)

_told: set[type] = set()


def emit_event(logger: Logger, record: LogRecord) -> None:
    """Emit a log event; where that fails it is lost alone, and that is logged once for each type of exception."""
    try:
        logger.emit(record)
    except Exception as error:
        if type(error) in _told:
            return
        _told.add(type(error))
        # The application's logging may raise as well, and the call must go on.
        with contextlib.suppress(Exception):
            _logger.warning(
                "A log event was not taken: a logger, processor or exporter of the logger provider raised. Calls go on "
                "without it. Further failures of this kind are not logged.",
                exc_info=without_text(error),
            )
