"""Which cell of a notebook each trace belongs to: the one that ran when its outermost call began."""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.sdk.trace import SpanProcessor

from .notebook import current_cell
from .tree import context_of

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import Span

    from .notebook import Cell

__all__ = ["CELLS", "Cells"]

_MOST_TRACES: Final = 1_000


class Cells(SpanProcessor):
    """Notes where traces begin: when they end, in another thread or later, another cell may run. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._cells: OrderedDict[int, Cell] = OrderedDict()
        self._watched: weakref.WeakSet[Any] = weakref.WeakSet()

    def watch(self, tracer_provider: Any) -> None:
        """Note the traces of an SDK's provider from now on."""
        with self._lock:
            if tracer_provider in self._watched:
                return
            self._watched.add(tracer_provider)
        tracer_provider.add_span_processor(self)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Take a span that begins."""
        if span.parent is not None and not span.parent.is_remote:
            return
        cell = current_cell()
        if cell is not None:
            with self._lock:
                self._cells[context_of(span).trace_id] = cell
                if len(self._cells) > _MOST_TRACES:
                    self._cells.popitem(last=False)

    def of(self, trace_id: int) -> Cell | None:
        """Return the cell of a trace; the one that runs where it was not noted."""
        with self._lock:
            return self._cells.get(trace_id) or current_cell()


CELLS: Final = Cells()
"""One for all exporters."""
