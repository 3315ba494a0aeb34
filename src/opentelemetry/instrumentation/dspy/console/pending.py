"""Spans that wait for their trace: which of them can be printed now, and how many may wait."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from .tree import Node, Summary, build_tree, context_of

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

__all__ = ["PendingTraces", "Piece"]


@dataclass(slots=True)
class Piece:
    """What is printed in one go.

    That is one local root with all below it (``complete``), spans that ended after their parent was printed
    (``later``), or spans whose parent has not arrived and is no longer waited for (``incomplete``).
    ``waiting`` is the number of spans of the same trace that still wait for their parent.
    """

    trace_id: int
    kind: Literal["complete", "later", "incomplete"]
    roots: list[Node]
    waiting: int = 0


@dataclass(slots=True)
class _Trace:
    """``heads`` can be printed, ``children`` (by parent's id) cannot yet; the rest tells what was printed."""

    heads: list[ReadableSpan] = field(default_factory=list)
    children: dict[int, list[ReadableSpan]] = field(default_factory=dict)
    printed: set[int] = field(default_factory=set)
    above: dict[int, Summary] = field(default_factory=dict)


class PendingTraces:
    """Collects spans, children before parents, until a local root completes them.

    At most ``max_traces`` traces and ``max_spans`` spans wait; when there are more, the oldest trace is given
    out incomplete. The ids of at most ``max_spans`` printed spans are remembered, to recognize their late
    children. Not thread-safe.
    """

    def __init__(self, *, max_traces: int, max_spans: int) -> None:
        self._max_traces = max_traces
        self._max_spans = max_spans
        self._traces: OrderedDict[int, _Trace] = OrderedDict()
        self._ready: dict[int, None] = {}
        self._waiting: dict[int, int] = {}  # spans by trace id; the trace that has waited longest comes first
        self._waiting_spans = 0
        self._remembered = 0

    def add(self, span: ReadableSpan) -> None:
        """Take one finished span."""
        trace_id = context_of(span).trace_id
        trace = self._traces.setdefault(trace_id, _Trace())
        parent = span.parent
        if parent is None or parent.is_remote or parent.span_id in trace.printed:
            trace.heads.append(span)
            self._ready[trace_id] = None
        else:
            trace.children.setdefault(parent.span_id, []).append(span)
            self._waiting[trace_id] = self._waiting.get(trace_id, 0) + 1
            self._waiting_spans += 1

    def take_ready(self) -> list[Piece]:
        """Give out what can be printed, and the oldest of what is too much to keep."""
        ready, self._ready = self._ready, {}
        pieces = [piece for trace_id in ready for piece in self._take_heads(trace_id)]
        while self._waiting_spans > self._max_spans or len(self._waiting) > self._max_traces:
            pieces.append(self._take_incomplete(next(iter(self._waiting))))
        self._forget()
        return pieces

    def take_all(self) -> list[Piece]:
        """Give out everything, ready or not."""
        pieces = self.take_ready()
        pieces.extend(self._take_incomplete(trace_id) for trace_id in list(self._waiting))
        self._forget()
        return pieces

    def _take_heads(self, trace_id: int) -> list[Piece]:
        trace = self._traces[trace_id]
        heads, trace.heads = trace.heads, []
        pieces = []
        later = []
        for span in heads:
            node = self._take_tree(trace_id, span)
            if span.parent is None or span.parent.is_remote:
                pieces.append(Piece(trace_id, "complete", [node]))
            else:
                later.append(node)
        if later:
            pieces.append(Piece(trace_id, "later", sorted(later, key=lambda node: node.start)))
        for piece in pieces:
            piece.waiting = self._waiting.get(trace_id, 0)
        return pieces

    def _take_incomplete(self, trace_id: int) -> Piece:
        trace = self._traces[trace_id]
        present = {context_of(span).span_id for spans in trace.children.values() for span in spans}
        missing = [parent for parent in trace.children if parent not in present]
        roots = []
        # After the missing parents' children nothing is left, unless spans name each other as their parent.
        for parent in [*missing, *trace.children]:
            for span in trace.children.pop(parent, []):
                node = self._take_tree(trace_id, span)
                self._no_longer_waiting(trace_id, 1)
                roots.append(node)
                # Should the parent arrive after all, its sums are to hold what was printed before it.
                trace.above.setdefault(parent, Summary()).add(node.summary)
        return Piece(trace_id, "incomplete", sorted(roots, key=lambda node: node.start))

    def _take_tree(self, trace_id: int, head: ReadableSpan) -> Node:
        trace = self._traces[trace_id]
        nodes = build_tree(head, trace.children, trace.above)
        self._no_longer_waiting(trace_id, len(nodes) - 1)
        self._remembered -= len(trace.printed)
        trace.printed.update(context_of(node.span).span_id for node in nodes)
        self._remembered += len(trace.printed)
        self._traces.move_to_end(trace_id)
        return nodes[0]

    def _no_longer_waiting(self, trace_id: int, spans: int) -> None:
        self._waiting_spans -= spans
        left = self._waiting.get(trace_id, 0) - spans
        if left > 0:
            self._waiting[trace_id] = left
        else:
            self._waiting.pop(trace_id, None)

    def _forget(self) -> None:
        if self._remembered <= self._max_spans:
            return
        # Down to half, so that a long-running program does not come here with every trace.
        for trace_id in list(self._traces):
            trace = self._traces[trace_id]
            self._remembered -= len(trace.printed)
            trace.printed.clear()
            trace.above.clear()
            if trace_id not in self._waiting:
                del self._traces[trace_id]
            if self._remembered <= self._max_spans // 2:
                return
