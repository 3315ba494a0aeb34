"""A program that counts what its calls use: it is told where there is nothing to count, and not that spans are lost."""

from __future__ import annotations

import os
import sys

from opentelemetry.instrumentation.environment_variables import OTEL_PYTHON_DISABLED_INSTRUMENTATIONS

from .lines import needless, tell
from .started_by import is_left_out, is_started_by_command

__all__ = ["NOBODY_LISTENS", "note_instrumented", "tell_of_no_usage", "usage_is_read"]

NOBODY_LISTENS = "nobody listens"
"""The kind of the notice that nothing is recorded; needless where the program reads its usage itself."""


class _Process:
    """What is known of this process."""

    was_instrumented = False


def note_instrumented() -> None:
    """Take note that DSPy calls are seen in this process; who ends that later, by `uninstrument`, means it."""
    _Process.was_instrumented = True


def usage_is_read() -> None:
    """Take note that the program itself is the one that listens."""
    needless(NOBODY_LISTENS)


def tell_of_no_usage() -> None:
    """Tell, at the end of a ``usage_scope``, that there was nothing to count by: calls are seen where it is."""
    if _Process.was_instrumented or "dspy" not in sys.modules:
        return
    if is_started_by_command() and is_left_out(os.environ):
        why = f"{OTEL_PYTHON_DISABLED_INSTRUMENTATIONS} leaves DSPy out"
        remedy = "Change that variable if usage is to be counted."
    else:
        why = "DSPy is not instrumented in it"
        remedy = (
            "Call DSPyInstrumentor().instrument() first, in each process, or start the program with "
            "opentelemetry-instrument."
        )
    tell("usage without instrumentation", f"usage_scope() counts nothing in this process, since {why}. {remedy}")
