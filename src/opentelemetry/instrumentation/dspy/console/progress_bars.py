"""The bars of tqdm, which DSPy's evaluations and optimizers draw where the console prints."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["beside_progress_bars", "has_progress_bars"]


def has_progress_bars() -> bool:
    """Whether any bar is there now."""
    return len(getattr(_tqdm(), "_instances", ())) > 0


@contextmanager
def beside_progress_bars(stream: IO[str]) -> Iterator[None]:
    """Let the bars go out of the way of what is printed, and come back below it."""
    tqdm = _tqdm()
    if tqdm is None:
        yield
        return
    with tqdm.external_write_mode(file=stream):
        # In a file nothing goes out of the way: what is printed would begin in the line that the bar was drawn in.
        if any(_share_a_file(stream, bar) for bar in list(getattr(tqdm, "_instances", ()))):
            stream.write("\n")
        yield


def _tqdm() -> Any:
    return getattr(sys.modules.get("tqdm"), "tqdm", None)


def _share_a_file(stream: IO[str], bar: Any) -> bool:
    try:
        ours, theirs = os.fstat(stream.fileno()), os.fstat(bar.fp.fileno())
        return os.path.samestat(ours, theirs) and not stream.isatty()
    except (AttributeError, OSError, ValueError):
        return False
