"""Calls that run now: what began in each trace and has not ended, in the words of one line."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ..amounts import count_words
from ..usage_sums import Usage
from .outlooks import Outlook, outlook_of
from .status_parts import StatusPart
from .tree import call_usage, context_of
from .words import cost_words, duration_words, tidy

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

__all__ = ["RunningCalls"]

_LONGEST_NAME: Final = 48
_NANOSECONDS: Final = 1_000_000_000
_COUNTED: Final = {"optimize_trial": "trial", "evaluate_example": "example"}
"""Spans that are counted when they have ended, and in which words."""

_RATE, _INNER, _BESIDE, _CALLS, _LEFT, _DONE, _EXPECTED, _COST, _OUTER = range(9)
"""What goes first where the terminal is narrow, and what stays to the end."""
_NARROWEST_INNER: Final = 12
_NARROWEST_OUTER: Final = 16


@dataclass(slots=True)
class _Call:
    """What runs in one trace: its open spans by id, the outermost first, and what those that ended add up to."""

    open: dict[int, tuple[str, float]]
    usage: Usage = field(default_factory=Usage)
    done: dict[str, int] = field(default_factory=dict)
    outlooks: dict[int, Outlook] = field(default_factory=dict)
    """Of open evaluations and optimizer runs, by the id of the span."""

    @property
    def outlook(self) -> Outlook | None:
        """The outermost of which something can be said."""
        return next((each for each in self.outlooks.values() if each.total is not None), None)

    @property
    def since(self) -> float:
        return next(iter(self.open.values()))[1]


class RunningCalls:
    """The calls of DSPy that run now, one for each trace."""

    def __init__(self) -> None:
        # Re-entrant: the garbage collector may end a span at any line.
        self._lock = threading.RLock()
        self._calls: dict[int, _Call] = {}

    def begin(self, span: ReadableSpan) -> None:
        """Take a span that begins."""
        context = context_of(span)
        opened, outlook = (span.name, time.monotonic()), outlook_of(span)
        with self._lock:
            call = self._calls.get(context.trace_id)
            if call is None:
                self._calls[context.trace_id] = call = _Call({context.span_id: opened})
            else:
                call.open[context.span_id] = opened
            if outlook is not None:
                call.outlooks[context.span_id] = outlook

    def end(self, span: ReadableSpan) -> None:
        """Take a span that ends."""
        context = context_of(span)
        with self._lock:
            call = self._calls.get(context.trace_id)
            if call is None or call.open.pop(context.span_id, None) is None:
                return
            if not call.open:
                del self._calls[context.trace_id]
                return
            used = call_usage(span)
            if used is not None:
                call.usage.add(used)
            call.outlooks.pop(context.span_id, None)
            if span.name in _COUNTED:
                around = call.outlooks.get(span.parent.span_id) if span.parent is not None else None
                if around is not None:
                    around.take(span)
                call.done[span.name] = call.done.get(span.name, 0) + 1

    def count(self, seconds: float = 0.0) -> int:
        """Return how many calls have run for so long."""
        began = time.monotonic() - seconds
        with self._lock:
            return sum(call.since <= began for call in self._calls.values())

    def parts(self) -> list[StatusPart]:
        """Return the call that has run longest, what runs in it and was used so far, and the number of others."""
        with self._lock:
            if not self._calls:
                return []
            call = min(self._calls.values(), key=lambda call: call.since)
            spans = list(call.open.values())
            parts = [_running(spans[0], _OUTER, _NARROWEST_OUTER, "bold")]
            parts.extend(_running(span, _INNER, _NARROWEST_INNER) for span in spans[1:][-1:])
            parts.extend(
                StatusPart(f"{count_words(call.done[name], word)} done", _DONE)
                for name, word in _COUNTED.items()
                if name in call.done
            )
            if call.usage.lm_calls:
                parts.append(StatusPart(count_words(call.usage.lm_calls, "LM call"), _CALLS))
            if call.usage.is_used:
                parts.append(StatusPart(cost_words(call.usage), _COST, "yellow"))
            outlook = call.outlook
            if outlook is not None:
                ranks = (_RATE, "yellow"), (_EXPECTED, "yellow"), (_LEFT, "")
                begun = sum(name in _COUNTED for name, _ in spans)
                words = zip(outlook.words(call.usage.cost, begun), ranks, strict=True)
                parts.extend(StatusPart(text, rank, style) for text, (rank, style) in words)
            others = len(self._calls) - 1
        if others:
            parts.append(StatusPart(f"{count_words(others, 'call')} beside it", _BESIDE))
        return [part for part in parts if part.text]


def _running(span: tuple[str, float], rank: int, narrowest: int, style: str = "") -> StatusPart:
    name, since = span
    # Whole seconds: the line need not be drawn more often.
    seconds = int(time.monotonic() - since)
    lasted = f"{seconds} s" if seconds < 60 else duration_words(seconds * _NANOSECONDS)
    return StatusPart(f" {lasted}", rank, style, name=tidy(name, _LONGEST_NAME), narrowest=narrowest)
