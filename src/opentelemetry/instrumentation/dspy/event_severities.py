"""Severities of log events that ``opentelemetry-util-genai`` emits without one.

The conventions want DEBUG for the details of an operation, so that a log view shows what went wrong before what went
well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry._logs import Logger, SeverityNumber

from .log_events import emit_event

if TYPE_CHECKING:
    from opentelemetry._logs import LogRecord

__all__ = ["SeverityLogger"]


class SeverityLogger(Logger):
    """A logger that gives DEBUG to events without a severity."""

    def __init__(self, logger: Logger, name: str) -> None:
        super().__init__(name)
        self._logger = logger

    def emit(self, record: LogRecord | None = None, **parts: Any) -> None:
        if record is None:
            self._logger.emit(**parts)
            return
        if record.severity_number is None and record.event_name:
            record.severity_number, record.severity_text = SeverityNumber.DEBUG, SeverityNumber.DEBUG.name
        emit_event(self._logger, record)

    def enabled(self, **parts: Any) -> bool:
        # Loggers can be asked since a later API than the lowest that is supported.
        enabled = getattr(self._logger, "enabled", None)
        return True if enabled is None else bool(enabled(**parts))
