"""Where programs of the tests broke: the events of their exceptions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import ReadableLogRecord
    from recorded import Recorded

__all__ = ["exception_logs", "stack_of", "where_it_broke"]


def where_it_broke(telemetry: Recorded) -> list[tuple[str, dict[str, Any]]]:
    """The spans that have an ``exception`` event, each with the attributes of the event."""
    return [
        (span.name, dict(event.attributes or {}))
        for span in telemetry.spans
        for event in span.events
        if event.name == "exception"
    ]


def exception_logs(telemetry: Recorded) -> list[ReadableLogRecord]:
    """The log events of exceptions."""
    return [record for record in telemetry.logs if (record.log_record.event_name or "").endswith(".exception")]


def stack_of(telemetry: Recorded) -> str:
    """The stack of the only exception that there was."""
    [(_, attributes)] = where_it_broke(telemetry)
    return str(attributes["exception.stacktrace"])
