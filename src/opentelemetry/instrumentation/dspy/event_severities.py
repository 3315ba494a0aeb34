"""Severities of log events that ``opentelemetry-util-genai`` emits without one.

The conventions want DEBUG for the details of an operation, so that a log view shows what went wrong before what went
well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry._logs import Logger, LoggerProvider, SeverityNumber, get_logger

from .log_events import emit_event

if TYPE_CHECKING:
    from opentelemetry._logs import LogRecord
    from opentelemetry.util.types import Attributes

__all__ = ["SeverityLoggers"]


class SeverityLoggers(LoggerProvider):
    """The loggers of a provider, by default the global one, that give DEBUG to events without a severity."""

    def __init__(self, provider: LoggerProvider | None) -> None:
        self._provider = provider

    def get_logger(
        self, name: str, version: str | None = None, schema_url: str | None = None, attributes: Attributes = None
    ) -> Logger:
        """Return a logger of the provider's."""
        return _SeverityLogger(get_logger(name, version or "", self._provider, schema_url, attributes), name)


class _SeverityLogger(Logger):
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
