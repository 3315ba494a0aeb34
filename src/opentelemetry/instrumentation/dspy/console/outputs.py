"""What the trees are printed on: a terminal, a file, whatever an application put there, or nothing at all."""

from __future__ import annotations

from typing import Any

from ..notices.lines import tell

__all__ = ["is_terminal", "tell_of_closed_output", "tell_of_plain_terminal"]


def is_terminal(stream: Any) -> bool:
    """Return whether a stream is one; what an application puts in place of `sys.stdout` often has few methods."""
    isatty = getattr(stream, "isatty", None)
    return isatty is not None and bool(isatty())


def tell_of_closed_output() -> None:
    """Tell that there is no standard output: Python has none where it was closed when the program began."""
    tell(
        "standard output is closed",
        "dspy_console has nowhere to print, since standard output is closed: no trace is shown. Start the program with "
        "its output open, or give DSPyConsoleSpanExporter(out=...) a file.",
    )


def tell_of_plain_terminal() -> None:
    """Tell that a terminal gets less than it could."""
    tell(
        "rich is missing",
        "dspy_console prints without colours and without a line for calls that run, since rich is not installed: "
        'pip install "opentelemetry-instrumentation-dspy[console]".',
    )
