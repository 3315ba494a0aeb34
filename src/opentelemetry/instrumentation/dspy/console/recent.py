"""The traces of the last few calls, to be shown again."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from .tree import context_of

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

__all__ = ["RecentTraces"]


class RecentTraces:
    """The spans of the last ``max_traces`` traces, and of no more than ``max_spans`` spans. Not thread-safe.

    A trace that alone has more spans than that is known and not kept.
    """

    def __init__(self, *, max_traces: int, max_spans: int) -> None:
        self._max_traces = max_traces
        self._max_spans = max_spans
        self._spans = 0
        self._traces: OrderedDict[int, list[ReadableSpan] | None] = OrderedDict()

    def add(self, span: ReadableSpan) -> None:
        """Take a span that has ended."""
        trace_id = context_of(span).trace_id
        kept = self._traces.setdefault(trace_id, [])
        self._traces.move_to_end(trace_id)
        if kept is None:
            return
        kept.append(span)
        self._spans += 1
        if len(kept) > self._max_spans:
            self._forget(kept)
            self._traces[trace_id] = None
        while len(self._traces) > self._max_traces or self._spans > self._max_spans:
            _, oldest = self._traces.popitem(last=False)
            self._forget(oldest or [])

    def _forget(self, spans: list[ReadableSpan]) -> None:
        self._spans -= len(spans)

    def has(self, trace_id: int) -> bool:
        """Whether a trace is known, kept or not."""
        return trace_id in self._traces

    def spans_of(self, trace_id: int) -> list[ReadableSpan]:
        """Return the spans of a trace; none where it is not kept."""
        return [*(self._traces.get(trace_id) or [])]
