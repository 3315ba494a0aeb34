"""Pseudo-terminals: one that a test's own program writes to, and one with a program of its own in it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from screen import Screen

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["ProgramInTerminal", "Terminal"]

_PATIENCE = 100
_COLUMNS = 80
_HEIGHT = 24


class Terminal:
    """A terminal while it is entered; `screen` is what a person would see by now, `written` all of it so far."""

    def __init__(self) -> None:
        self.screen = Screen(_COLUMNS, _HEIGHT)
        self.written = ""
        self._ours, self._theirs = pty.openpty()
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _HEIGHT, _COLUMNS, 0, 0))
        self.out: TextIO = open(self._theirs, "w", encoding="utf-8", buffering=1)  # noqa: SIM115 - closed on leaving

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.out.close()
        os.close(self._ours)

    def until(self, seen: Callable[[Screen], bool]) -> None:
        """Read until a person would see something; fail if that takes too long or there is nothing more to come."""
        deadline = time.monotonic() + _PATIENCE
        while not seen(self.screen):
            assert self._read(deadline), "\n".join(self.screen.lines)

    def all(self) -> list[str]:
        """Close the terminal's other end, read what is left, and return what stands on the screen then."""
        self.out.close()
        deadline = time.monotonic() + _PATIENCE
        while self._read(deadline):
            pass
        return self.screen.lines

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._ours, keys.encode())

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._ours], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return False
        try:
            # On Linux the end of a terminal is an error.
            piece = os.read(self._ours, 65_536)
        except OSError:
            return False
        text = piece.decode(errors="replace")
        self.written += text
        self.screen.write(text)
        return bool(piece)


def _as_from_a_shell() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    # A test run in the background may have been told to ignore it, and a child inherits that.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class ProgramInTerminal(Terminal):
    """Runs a program under `opentelemetry-instrument --traces_exporter dspy_console` in a terminal of its own."""

    def __init__(self, program: Path, **environment: str) -> None:
        super().__init__()
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "FORCE_", "CI"))}
        settings = kept | {
            "PYTHONPATH": os.pathsep.join(sys.path),
            "PYTHONIOENCODING": "utf-8",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "DSPY_CACHEDIR": str(program.parent / "cache"),
            "TERM": "xterm",
            "NO_COLOR": "1",
            **environment,
        }
        settings.pop("COLUMNS", None)
        launcher = Path(sys.executable).with_name("opentelemetry-instrument")
        options = ["--traces_exporter", "dspy_console", "--metrics_exporter", "none", "--logs_exporter", "none"]
        # A session of its own with this as its terminal, so that Ctrl-C reaches the program.
        self.process = subprocess.Popen(
            [launcher, *options, sys.executable, program],
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=self._theirs,
            env=settings,
            start_new_session=True,
            preexec_fn=_as_from_a_shell,
        )

    def __enter__(self) -> ProgramInTerminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        super().__exit__(kind, error, traceback)

    def all(self) -> list[str]:
        """Read all that the program writes until it has ended, and return what stands on the screen then."""
        lines = super().all()
        self.process.wait(timeout=_PATIENCE)
        return lines
