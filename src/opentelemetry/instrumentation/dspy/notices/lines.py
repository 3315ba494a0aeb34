"""A notice: one plain line on standard error that says what is, what it means and what to do."""

from __future__ import annotations

import contextlib
import os
import sys

from ..config import NOTICES

__all__ = ["is_told", "needless", "tell"]

_PREFIX = "opentelemetry-instrumentation-dspy: "

_told: set[object] = set()


def tell(kind: object, text: str) -> None:
    """Write the line, the first time in this process that there is one of its kind; never raise.

    ``OTEL_INSTRUMENTATION_DSPY_NOTICES=false`` keeps all of them back.
    """
    # Whatever the application has put in the place of its standard error may fail.
    with contextlib.suppress(Exception):
        if kind in _told or _are_off():
            return
        _told.add(kind)
        if sys.stderr is not None:
            sys.stderr.write(f"{_PREFIX}{' '.join(text.split())}\n")
            sys.stderr.flush()


def needless(kind: object) -> None:
    """Take note that a notice of that kind would tell nobody anything new."""
    _told.add(kind)


def is_told(kind: object) -> bool:
    """Return whether there is nothing more to say of that kind, so that nothing has to be looked at for it."""
    return kind in _told


def _are_off() -> bool:
    return os.environ.get(NOTICES, "").strip().lower() == "false"
