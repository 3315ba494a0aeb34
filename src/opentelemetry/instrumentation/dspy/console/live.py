"""A line in the terminal for calls that take long: it comes after a second and goes when the call ends."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import weakref
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.sdk.trace import SpanProcessor

from ..wrapping.complaints import without_text
from .running import RunningCalls
from .status_line import StatusLine, live_terminal

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, Span

__all__ = ["LiveLine"]

_LOGGER: Final = logging.getLogger(__name__)

_OURS: Final = "opentelemetry.instrumentation.dspy"
_LONG_SECONDS: Final = 1.0
_TICK_SECONDS: Final = 0.25
_IDLE_TICKS: Final = 8


class LiveLine(SpanProcessor):
    """Watches the spans of DSPy calls begin and end, and shows those that run long on the exporter's terminal.

    There is a thread while calls run and for two seconds after, so that many short ones need one and no idle program
    has any. It ends before the interpreter does, and does not live on in a forked child.
    """

    def __init__(self, stream: Callable[[], Any]) -> None:
        self._stream_of = stream
        self._closed = False
        self._forking: threading.RLock | None = None
        self._line = StatusLine()
        self._start_empty()
        close = weakref.WeakMethod(self.close)
        atexit.register(lambda: (method := close()) and method())
        if hasattr(os, "register_at_fork"):
            before, after, in_child = (
                weakref.WeakMethod(each) for each in (self._before_fork, self._after_fork, self._in_child)
            )
            os.register_at_fork(
                before=lambda: (method := before()) and method(),
                after_in_parent=lambda: (method := after()) and method(),
                after_in_child=lambda: (method := in_child()) and method(),
            )

    def _start_empty(self) -> None:
        self._lock = threading.RLock()
        self._calls = RunningCalls()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Take a span that begins."""
        scope = span.instrumentation_scope
        if self._closed or scope is None or scope.name != _OURS:
            return
        self._calls.begin(span)
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._start_thread()

    def _start_thread(self) -> None:
        thread = threading.Thread(target=self._run, name="dspy_console", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # No more threads are to be had, or the interpreter ends.
            self._closed = True
        else:
            self._thread = thread

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span that ends; the line goes at once where nothing else runs."""
        scope = span.instrumentation_scope
        if scope is None or scope.name != _OURS:
            return
        self._calls.end(span)
        # Never wait here: it may be the garbage collector that ends the span, in the middle of a write to the stream.
        lock = self._line.lock
        if not self._calls.count() and lock.acquire(blocking=False):
            try:
                self._line.erase()
            finally:
                lock.release()

    def close(self) -> None:
        """Take the line away and end the thread; nothing is shown any more."""
        self._closed = True
        self._stop.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=1)
        self._line.close()

    shutdown = close

    def _run(self) -> None:
        idle = 0
        stop = self._stop
        while not stop.wait(_TICK_SECONDS):
            idle = 0 if self._calls.count() else idle + 1
            try:
                self._draw()
            except Exception as error:
                exception = without_text(error)
                _LOGGER.warning("dspy_console could not show the calls that run, and stops to", exc_info=exception)
                self._closed = True
                self._line.close()
                return
            if idle > _IDLE_TICKS and self._end_idle():
                return

    def _end_idle(self) -> bool:
        with self._lock:
            if self._calls.count():
                return False
            self._line.close()
            self._thread = None
            return True

    def _draw(self) -> None:
        stream = live_terminal(self._stream_of()) if self._calls.count(_LONG_SECONDS) else None
        if stream is None:
            self._line.erase()
        else:
            self._line.draw(stream, self._calls.parts())

    def _before_fork(self) -> None:
        # A child must not inherit a stream in the middle of a write; but a terminal may stand still.
        self._forking = self._line.lock if self._line.lock.acquire(timeout=1) else None
        if self._forking is not None:
            # What the child prints is not seen here.
            self._line.before_write()

    def _after_fork(self) -> None:
        if self._forking is not None:
            self._forking.release()

    def _in_child(self) -> None:
        self._forking = None
        self._line.forget()
        self._start_empty()
