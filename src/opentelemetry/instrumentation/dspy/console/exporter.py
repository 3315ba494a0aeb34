"""The ``dspy_console`` span exporter: each finished trace as a tree on standard output, without a backend."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import threading
import weakref
from collections import deque
from typing import IO, TYPE_CHECKING, Any, Final, TextIO

from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from ..complaints import without_text
from ..config import console_shows
from .characters import Characters, characters_for
from .folds import View
from .lines import Line, lines_of, remark, side_by_side
from .live import LiveLine
from .missing import carries_content, missing_words
from .pending import PendingTraces, Piece
from .progress_bars import beside_progress_bars
from .runs import is_example_of_run, is_trial, trial_words
from .status_line import live_terminal

try:
    from rich.console import Console
    from rich.text import Text
except ImportError:  # The extra `console` is not installed: plain text, in a terminal too.
    _HAS_RICH = False
else:
    _HAS_RICH = True

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

__all__ = ["DSPyConsoleSpanExporter", "show_running_calls"]

_LOGGER: Final = logging.getLogger(__name__)


class DSPyConsoleSpanExporter(SpanExporter):
    """Prints each trace, when its root has ended, as a tree with durations, tokens, cost, cache hits and errors.

    In a terminal the tree is fitted to the width and, if rich is installed, coloured; anywhere else it is
    plain text. Figures after Σ are sums over all LM calls below a span, those in folded lines included.
    ``$?`` stands for a price that is not known. A span that ends after its parent was printed is printed then
    under ``… later in trace``. What still waits for its root at a flush or a shutdown, or when more waits than
    ``max_pending_traces`` and ``max_pending_spans`` allow, is printed under ``… incomplete trace``. A trace
    without any DSPy or GenAI span takes one line. An optimizer run is shown as it goes, with a line for each
    trial; the traces of its examples are not printed.

    ``out`` is where to print, by default ``sys.stdout`` as it is at the time of printing; ``console``, a rich
    console, takes its place for whoever wants to decide about width and colours. A parent with more than
    ``max_children`` children shows the first few, those with errors, and the rest in one line. Raises
    ``ValueError`` if a number is less than 1.

    The examples of an evaluation that passed take one line, unless ``passed`` asks for them; ``content`` prints what
    spans carry of prompts, replies and values below their lines. Without these arguments
    ``OTEL_INSTRUMENTATION_DSPY_CONSOLE`` decides.

    Thread-safe. What cannot be written is logged once, and reported as ``SpanExportResult.FAILURE``.
    """

    def __init__(
        self,
        *,
        out: TextIO | None = None,
        console: Console | None = None,
        content: bool | None = None,
        passed: bool | None = None,
        max_children: int = 12,
        max_pending_traces: int = 1_000,
        max_pending_spans: int = 10_000,
    ) -> None:
        if min(max_children, max_pending_traces, max_pending_spans) < 1:
            raise ValueError("max_children, max_pending_traces and max_pending_spans must be at least 1")
        self._out = out
        self._console = console
        shows = console_shows()
        self._view = View(
            max_children=max_children,
            content="content" in shows if content is None else content,
            passed="all" in shows if passed is None else passed,
        )
        self._told_of_content = not self._view.content
        self._max_pending_traces = max_pending_traces
        self._max_pending_spans = max_pending_spans
        self._shut_down = False
        self._failed = False
        self._live: LiveLine | None = None
        self._watched: weakref.WeakSet[Any] = weakref.WeakSet()
        self._start_empty()
        _exporters.add(self)
        if hasattr(os, "register_at_fork"):
            # A child process has other traces; those copied from its parent are the parent's to print.
            start_empty = weakref.WeakMethod(self._start_empty)
            os.register_at_fork(after_in_child=lambda: (method := start_empty()) and method())

    def _start_empty(self) -> None:
        # Re-entrant, with an inbox: the garbage collector may end a span, and so export it, at any line.
        self._lock = threading.RLock()
        self._inbox: deque[ReadableSpan] = deque()
        self._pending = PendingTraces(max_traces=self._max_pending_traces, max_spans=self._max_pending_spans)
        self._printing = False
        self._flush_asked = False

    def show_running_calls(self, tracer_provider: TracerProvider) -> None:
        """Show a line for calls of this provider's that take longer than a second, while they run.

        It is there in a terminal only, with rich, and never while a progress bar of tqdm is. ``instrument()`` asks for
        it with the provider that it uses, for each exporter that there is by then.
        """
        if tracer_provider in self._watched or live_terminal(self._stream()) is None:
            return
        if self._live is None:
            self._live = LiveLine(self._stream)
        tracer_provider.add_span_processor(self._live)
        self._watched.add(tracer_provider)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Take finished spans, and print what they complete."""
        if self._shut_down:
            _LOGGER.warning("dspy_console is shut down and does not show the spans that end now")
            return SpanExportResult.FAILURE
        self._inbox.extend(spans)
        return SpanExportResult.SUCCESS if self._print_now() else SpanExportResult.FAILURE

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Print all that is there, complete or not; return whether it could be done in ``timeout_millis``."""
        if not self._lock.acquire(timeout=timeout_millis / 1000):
            return False
        try:
            return self._print_now(flush=True)
        finally:
            self._lock.release()

    def shutdown(self) -> None:
        """Print all that is there, complete or not, and take no more spans."""
        if not self._shut_down:
            self._shut_down = True
            if self._live is not None:
                self._live.close()
            self._print_now(flush=True)

    def _print_now(self, *, flush: bool = False) -> bool:
        with self._lock:
            self._flush_asked |= flush
            written = True
            while (self._inbox or self._flush_asked) and not self._printing:
                self._printing = True
                try:
                    self._print_inbox()
                except Exception as error:
                    if not self._failed:
                        exception = without_text(error)
                        _LOGGER.warning("dspy_console could not print, and will not say so again", exc_info=exception)
                    self._failed = True
                    written = False
                finally:
                    self._printing = False
            return written

    def _print_inbox(self) -> None:
        # Spans that another thread handed over while the exporter was shut down get no later chance.
        flush, self._flush_asked = self._flush_asked or self._shut_down, False
        trials = []
        while self._inbox:
            span = self._inbox.popleft()
            self._pending.add(span)
            if is_trial(span):
                trials.append(span)
        pieces = self._pending.take_all() if flush else self._pending.take_ready()
        pieces = [piece for piece in pieces if not is_example_of_run(piece)]
        if pieces or trials:
            self._write(pieces, trials)

    def _stream(self) -> Any:
        if self._console is not None:
            return self._console.file
        return self._out if self._out is not None else sys.stdout

    def _write(self, pieces: list[Piece], trials: list[ReadableSpan]) -> None:
        console = self._console
        stream: IO[str] = self._stream()
        width: int | None
        if console is not None:
            width = console.width
        else:
            width = shutil.get_terminal_size().columns if _is_terminal(stream) else None
            console = Console(file=stream) if _HAS_RICH else None
        lines = self._lines_of(pieces, trials, stream, width)
        with beside_progress_bars(stream):
            if console is not None and console.is_terminal:
                # The lines fit already; rich must neither wrap nor colour them by what it sees in them.
                text = Text("\n").join(Text.assemble(*line) for line in lines)
                console.print(text, soft_wrap=True, highlight=False)
            else:
                stream.write("".join("".join(part.text for part in line) + "\n" for line in lines))
            stream.flush()

    def _lines_of(
        self, pieces: list[Piece], trials: list[ReadableSpan], stream: IO[str], width: int | None
    ) -> list[Line]:
        characters = characters_for(getattr(stream, "encoding", None) or "utf-8")
        lines: list[Line] = []
        for trial in trials:
            lines.extend(side_by_side(trial_words(trial), characters=characters, width=width))
        for piece in pieces:
            of_piece = lines_of(piece, characters=characters, width=width, view=self._view)
            lines.extend(of_piece)
            lines.extend(self._words_of_missing_content(piece, characters, width))
            if len(of_piece) > 1:
                lines.append([])  # A line of air below a tree; one-line traces stand close together.
        return lines

    def _words_of_missing_content(self, piece: Piece, characters: Characters, width: int | None) -> list[Line]:
        carries = None if self._told_of_content else carries_content(piece)
        if carries is None:
            return []
        self._told_of_content = True
        return [] if carries else remark(missing_words(), "yellow", characters=characters, width=width)


def show_running_calls(tracer_provider: Any) -> None:
    """Show the calls of a provider that run on each exporter that there is, if the provider is the SDK's."""
    if not hasattr(tracer_provider, "add_span_processor"):
        return
    try:
        for exporter in list(_exporters):
            exporter.show_running_calls(tracer_provider)
    except Exception as error:
        _LOGGER.warning("dspy_console cannot show the calls that run", exc_info=without_text(error))


_exporters: weakref.WeakSet[DSPyConsoleSpanExporter] = weakref.WeakSet()


def _is_terminal(stream: IO[str]) -> bool:
    # What an application puts in place of `sys.stdout` often has `write` and `flush` only.
    isatty = getattr(stream, "isatty", None)
    return isatty is not None and bool(isatty())
