"""The ``dspy_console`` span exporter: each finished trace as a tree on standard output, without a backend."""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any, Final, TextIO

from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from ..config import console_shows
from ..notices.log_lines import show_warnings
from ..wrapping.complaints import without_text
from .cells import CELLS
from .folds import View
from .live import LiveLine
from .notebook import is_interactive
from .outputs import tell_of_closed_output
from .pending import PendingTraces
from .printer import Printer
from .recent import RecentTraces
from .runs import is_example_of_run, is_trial
from .status_line import live_terminal
from .whole_traces import pieces_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from rich.console import Console

__all__ = ["DSPyConsoleSpanExporter", "has_exporters", "show_again", "show_running_calls"]

_LOGGER: Final = logging.getLogger(__name__)
_KEPT_TRACES: Final = 50
_KEPT_SPANS: Final = 5_000


class DSPyConsoleSpanExporter(SpanExporter):
    """Prints each trace, when its root has ended, as a tree with durations, tokens, cost, cache hits and errors.

    In a terminal the tree is fitted to the width and, if rich is installed, coloured; in a notebook it stands below the
    cell that called the program; anywhere else it is plain text. Figures after Σ are sums over all calls below a
    span, those in folded lines included. ``$?`` stands for a price that is not known. A span that ends after its parent
    was printed is printed then under ``… later in trace``. What still waits for its root at a flush or a shutdown, or
    when more waits than ``max_pending_traces`` and ``max_pending_spans`` allow, is printed under ``… incomplete
    trace``. A trace without any DSPy or GenAI span takes one line. An optimizer run is shown as it goes, with a line
    for each trial; the traces of its examples are not printed.

    ``out`` is where to print, by default ``sys.stdout`` as it is at the time of printing; ``console``, a rich
    console, takes its place for whoever wants to decide about width and colours. A parent with more than
    ``max_children`` children shows the first few, those with errors, and the rest in one line. Raises
    ``ValueError`` if a number is less than 1.

    The examples of an evaluation that passed take one line, unless ``passed`` asks for them; ``content`` prints what
    spans carry of prompts, replies and values below their lines. Without these arguments
    ``OTEL_INSTRUMENTATION_DSPY_CONSOLE`` decides.

    The last ``kept_traces`` can be printed again with ``show_trace``: by default 50, with 5,000 spans at most, in
    notebooks and interactive Python, and none elsewhere.

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
        kept_traces: int | None = None,
    ) -> None:
        if min(max_children, max_pending_traces, max_pending_spans) < 1:
            raise ValueError("max_children, max_pending_traces and max_pending_spans must be at least 1")
        show_warnings()
        shows = console_shows()
        view = View(
            max_children=max_children,
            content="content" in shows if content is None else content,
            passed="all" in shows if passed is None else passed,
        )
        self._printer = Printer(out, console, view, may_hide_content=content is None)
        self._kept_traces = kept_traces
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
        self._recent = RecentTraces(
            max_traces=_KEPT_TRACES if self._kept_traces is None else self._kept_traces, max_spans=_KEPT_SPANS
        )
        self._printing = False
        self._flush_asked = False

    @property
    def _keeps(self) -> bool:
        return is_interactive() if self._kept_traces is None else self._kept_traces > 0

    def show_running_calls(self, tracer_provider: TracerProvider) -> None:
        """Show a line for calls of this provider's that take longer than a second, while they run.

        It is there in a terminal only, with rich, and never while a progress bar of tqdm is. ``instrument()`` asks for
        it with the provider that it uses, for each exporter that there is by then.
        """
        if self._printer.is_in_notebook:
            CELLS.watch(tracer_provider)
        if tracer_provider in self._watched or live_terminal(self._printer.stream) is None:
            return
        if self._live is None:
            self._live = LiveLine(lambda: self._printer.stream)
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
                    if self._printer.stream is None:
                        tell_of_closed_output()
                    elif not self._failed:
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
            if self._keeps:
                self._recent.add(span)
            if is_trial(span):
                trials.append(span)
        pieces = self._pending.take_all() if flush else self._pending.take_ready()
        pieces = [piece for piece in pieces if not is_example_of_run(piece)]
        if pieces or trials:
            self._printer.print(pieces, trials)

    def show_again(self, trace_id: int, *, content: bool | None = None) -> bool:
        """Print a trace that was kept once more; return whether it is known, though it may be too large to be kept."""
        with self._lock:
            if not self._recent.has(trace_id):
                return False
            spans = self._recent.spans_of(trace_id)
            if spans:
                self._printer.print_again(pieces_of(spans), content=content)
            else:
                self._printer.stream.write(f"Trace {trace_id:032x} has too many spans to be kept and shown again.\n")
            return True


def show_running_calls(tracer_provider: Any) -> None:
    """Show the calls of a provider that run on each exporter that there is, if the provider is the SDK's."""
    if not hasattr(tracer_provider, "add_span_processor"):
        return
    try:
        for exporter in list(_exporters):
            exporter.show_running_calls(tracer_provider)
    except Exception as error:
        _LOGGER.warning("dspy_console cannot show the calls that run", exc_info=without_text(error))


def has_exporters() -> bool:
    """Whether there is any exporter of this kind."""
    return len(_exporters) > 0


def show_again(trace_id: int, *, content: bool | None = None) -> bool:
    """Print a trace once more, by the first exporter that knows it; return whether one does."""
    return any(exporter.show_again(trace_id, content=content) for exporter in list(_exporters))


_exporters: weakref.WeakSet[DSPyConsoleSpanExporter] = weakref.WeakSet()
