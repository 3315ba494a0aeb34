"""A line below the cursor of a terminal, which the program's own output neither sees nor meets.

Rich's ``Live`` owns the screen while it runs: it takes ``sys.stdout`` away, holds what is printed until a line is
whole, and writes over what tqdm, a ``StreamHandler`` or ``input()`` put there. This line has no place of its own. It
stands two rows below the cursor, wherever the program has that, and goes before the program's next character.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from .characters import characters_for
from .progress_bars import has_progress_bars
from .status_parts import fitted

try:
    from rich.console import Console
    from rich.text import Text
except ImportError:
    _HAS_RICH = False
else:
    _HAS_RICH = True

if TYPE_CHECKING:
    from collections.abc import Callable

    from .status_parts import StatusPart
    from .words import Part

__all__ = ["StatusLine", "live_terminal"]

# Two rows below the cursor are made if there are none. One row stays free: the end of a line that `input()` or a child
# process puts there is not seen here, and must not go on in the status.
_MAKE_ROOM: Final = "\x1bD\x1bD\x1b[2A"
_BELOW: Final = "\x1b7\x1b[B\r\x1b[0m\x1b[J"
_BACK: Final = "\x1b8"
_DRAW: Final = _MAKE_ROOM + _BELOW + "\x1b[B"
_ERASE: Final = "\x1bD\x1b[A" + _BELOW + _BACK
_QUIET_SECONDS: Final = 0.3


def live_terminal(stream: Any) -> io.TextIOWrapper | None:
    """Return the stream if a line can come and go on it; None if it is no terminal, or another program's at the moment.

    It has to be Python's own: whatever stands in its place (rich, colorama, a notebook, a test) draws by itself.
    """
    if not _HAS_RICH or type(stream) is not io.TextIOWrapper or stream.closed or not stream.isatty():
        return None
    if os.environ.get("CI", "").lower() not in ("", "0", "false"):
        return None
    console = Console(file=stream)
    return stream if console.is_interactive and not console.legacy_windows else None


class StatusLine:
    """Draws one line, and takes it away before anything else is written to standard output or error."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._stream: io.TextIOWrapper | None = None
        self._text = ""
        self._guards: list[_Guard] = []
        self._last_write = 0.0

    def draw(self, stream: io.TextIOWrapper, parts: list[StatusPart]) -> None:
        """Draw what fits of the parts, unless they stand there already or the program was writing a moment ago."""
        with self.lock:
            size = shutil.get_terminal_size()
            words = fitted(parts, size.columns - 1, characters_for(stream.encoding))
            text = "".join(word.text for word in words)
            if text == self._text or time.monotonic() - self._last_write < _QUIET_SECONDS or size.lines < 4:
                return
            # Bars tell that something runs, and use the rows below the cursor themselves.
            if not _is_in_foreground(stream) or has_progress_bars():
                self.erase()
                return
            self._guard(stream)
            self._stream, self._text = stream, text
            self._write(_DRAW + _rendered(words, size.columns) + _BACK)

    def erase(self) -> None:
        """Take the line away, if it is there."""
        with self.lock:
            if self._text:
                self._text = ""
                self._write(_ERASE)

    def close(self) -> None:
        """Take the line away and leave the streams as they were."""
        with self.lock:
            self.erase()
            self._release_streams()

    def forget(self) -> None:
        """Leave the streams as they were, and the line where it is: in a forked child it is the parent's."""
        self.lock = threading.RLock()
        self._text = ""
        self._release_streams()

    def before_write(self) -> None:
        """Make room for what the program writes now."""
        self._last_write = time.monotonic()
        self.erase()

    def _guard(self, stream: io.TextIOWrapper) -> None:
        guarded = [guard.stream for guard in self._guards]
        for each in (stream, sys.stdout, sys.stderr):
            if type(each) is io.TextIOWrapper and each not in guarded and not each.closed and each.isatty():
                self._guards.append(_Guard(each, self))
                guarded.append(each)

    def _release_streams(self) -> None:
        self._stream = None
        while self._guards:
            self._guards.pop().remove()

    def _write(self, sequence: str) -> None:
        if self._stream is not None:
            write = next(guard.write for guard in self._guards if guard.stream is self._stream)
            with suppress(OSError, ValueError):
                write(sequence)
                self._stream.flush()


class _Guard:
    """A stream that tells of each of its writes before it happens."""

    def __init__(self, stream: io.TextIOWrapper, line: StatusLine) -> None:
        self.stream = stream
        self.write: Callable[[str], int] = stream.write
        self._guarded = guarded = _guarded(self.write, line)
        stream.write = guarded  # type: ignore[method-assign]

    def remove(self) -> None:
        # Somebody else may have put something in front of it meanwhile; what is left here then passes on.
        if vars(self.stream).get("write") is self._guarded:
            del self.stream.write


def _guarded(write: Callable[[str], int], line: StatusLine) -> Callable[[str], int]:
    def write_guarded(text: str, /) -> int:
        with line.lock:
            line.before_write()
            return write(text)

    return write_guarded


def _rendered(words: list[Part], width: int) -> str:
    text = Text(no_wrap=True)
    for word in words:
        text.append(word.text, f"dim {word.style}")
    # Not on the stream itself: it is guarded, and this is none of the program's writes.
    rendered = io.StringIO()
    Console(file=rendered, force_terminal=True, width=width).print(text, end="", soft_wrap=True, highlight=False)
    return rendered.getvalue()


def _is_in_foreground(stream: io.TextIOWrapper) -> bool:
    """Whether the terminal is this program's now, and not the shell's that has put it into the background."""
    if not hasattr(os, "tcgetpgrp"):
        return True
    try:
        return os.tcgetpgrp(stream.fileno()) == os.getpgrp()
    except OSError:
        return True
