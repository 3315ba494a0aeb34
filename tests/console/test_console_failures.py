"""What the console logs of its own failures: where it broke and on what kind of error, and no word of a program's."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest
from console_spans import chat, tracer_for
from opentelemetry.sdk.trace import TracerProvider
from terminal import Terminal

from opentelemetry.instrumentation.dspy.console import DSPyConsoleSpanExporter
from opentelemetry.instrumentation.dspy.console.exporter import show_running_calls
from opentelemetry.instrumentation.dspy.console.live import LiveLine

SECRET = "what the customer asked"

pytestmark = pytest.mark.complaints


class RefusingStream:
    """Quotes in its error what it cannot take, as encoders do."""

    encoding = "utf-8"

    def write(self, text: str) -> NoReturn:
        raise ValueError(SECRET)

    def flush(self) -> None:
        """Do nothing."""


class RefusingProvider:
    """A provider that takes no processor."""

    def add_span_processor(self, processor: Any) -> NoReturn:
        raise LookupError(SECRET)


def refuse() -> NoReturn:
    raise ValueError(SECRET)


def told(caplog: pytest.LogCaptureFixture) -> tuple[str, str]:
    """Return the message of the only record and the last line of its stack; nothing in it quotes anything."""
    [record] = caplog.records
    assert record.exc_text is not None
    assert SECRET not in caplog.text
    assert "Traceback" in record.exc_text
    return record.getMessage(), record.exc_text.splitlines()[-1]


def test_what_could_not_be_printed_is_not_quoted(caplog: pytest.LogCaptureFixture) -> None:
    out: Any = RefusingStream()
    chat().record(tracer_for(DSPyConsoleSpanExporter(out=out)))
    assert told(caplog) == ("dspy_console could not print, and will not say so again", "ValueError")


def test_what_could_not_be_drawn_is_not_quoted(caplog: pytest.LogCaptureFixture) -> None:
    line = LiveLine(refuse)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(line)
    provider.get_tracer("opentelemetry.instrumentation.dspy").start_span("invoke_workflow Asker")
    assert line._thread is not None
    line._thread.join(timeout=110)
    assert told(caplog) == ("dspy_console could not show the calls that run, and stops to", "ValueError")


def test_a_provider_that_cannot_be_watched_is_not_quoted(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CI", "TTY_INTERACTIVE", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    with Terminal() as terminal:
        exporter = DSPyConsoleSpanExporter(out=terminal.out)
        show_running_calls(RefusingProvider())
        exporter.shutdown()
    assert told(caplog) == ("dspy_console cannot show the calls that run", "LookupError")
