"""Spans that a test keeps, as they end, and what the calls among them used."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import SpanProcessor

from ..console.tree import call_usage, context_of
from ..usage import UsageScope
from .chats import model_of

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, Span

__all__ = ["KeptSpans"]


class KeptSpans(SpanProcessor):
    """Every span since the start, or since it was cleared, and what language models and embedders used by then."""

    def __init__(self) -> None:
        # Re-entrant: the garbage collector may end a span at any line.
        self._lock = threading.RLock()
        self._open: dict[int, ReadableSpan] = {}
        self._ended: dict[int, ReadableSpan] = {}
        self._order: dict[int, None] = {}
        self.usage = UsageScope()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Take a span that begins."""
        with self._lock:
            identifier = context_of(span).span_id
            self._open[identifier] = span
            self._order[identifier] = None

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span that ends; one that was cleared away while it ran is not kept."""
        with self._lock:
            identifier = context_of(span).span_id
            if self._open.pop(identifier, None) is None:
                return
            self._ended[identifier] = span
            used = call_usage(span)
            if used is not None:
                self.usage.add(used, model_of(span))

    @property
    def ended(self) -> list[ReadableSpan]:
        """The spans that have ended, in the order in which they started."""
        with self._lock:
            return [self._ended[identifier] for identifier in self._order if identifier in self._ended]

    @property
    def running(self) -> list[ReadableSpan]:
        """The spans that have not ended, in the order in which they started."""
        with self._lock:
            return [self._open[identifier] for identifier in self._order if identifier in self._open]

    def clear(self) -> None:
        """Keep none of the spans so far, nor those that run; what they used is not counted any more."""
        with self._lock:
            self._open.clear()
            self._ended.clear()
            self._order.clear()
            self.usage = UsageScope()
