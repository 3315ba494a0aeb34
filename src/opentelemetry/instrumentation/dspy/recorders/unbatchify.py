"""Calls of ``Unbatchify``, whose one thread runs in batches what its callers ask for one by one."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import INVALID_TRACE_ID, Link, get_current_span

from opentelemetry import context as context_api

from .. import semconv
from ..context import ActiveCall, current_call, with_call
from ..locks import ForkSafeLock
from ..spans import EnteredContext, OpenSpan, enter, open_span
from ..telemetry import usage_attributes
from ..usage import UsageScope, shared_scope
from ..weak import WeakIdentityMap

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from opentelemetry.context import Context

    from ..calls import Call
    from ..telemetry import Telemetry

__all__ = ["BatchRecorder", "CallerRecorder", "WaitingCallers"]

SPAN_NAME = "Unbatchify"


@dataclass(slots=True, eq=False)
class _Caller:
    """Somebody who waits for the result of one item, and where that is in the application."""

    item: object
    context: Context
    call: ActiveCall


class WaitingCallers:
    """Who waits for which ``Unbatchify``; the two recorders meet here, because two threads do."""

    def __init__(self) -> None:
        self._lock = ForkSafeLock()
        self._callers: WeakIdentityMap[list[_Caller]] = WeakIdentityMap()

    def add(self, unbatchify: object, caller: _Caller) -> None:
        """Note a caller that begins to wait."""
        with self._lock:
            callers = self._callers.get(unbatchify)
            if callers is None:
                self._callers.set(unbatchify, [caller])
            else:
                callers.append(caller)

    def remove(self, unbatchify: object, caller: _Caller) -> None:
        """Forget a caller that waits no more."""
        with self._lock:
            callers = self._callers.get(unbatchify)
            if callers is not None and caller in callers:
                callers.remove(caller)

    def take(self, unbatchify: object, batch: Iterable[object]) -> list[_Caller]:
        """Return who asked for the items of a batch, each caller for one batch alone."""
        taken = []
        with self._lock:
            callers = self._callers.get(unbatchify) or []
            for item in batch:
                caller = next((caller for caller in callers if caller.item is item), None)
                if caller is not None:
                    callers.remove(caller)
                    taken.append(caller)
        return taken


class CallerRecorder:
    """Notes who waits for an item; the work itself is recorded where it is done."""

    def __init__(self, waiting: WaitingCallers) -> None:
        self._waiting = waiting

    def begin(self, call: Call) -> CallerRecording:
        """Note the caller before the other thread can see its item."""
        item = call.arguments[0] if call.arguments else call.keyword_arguments.get("input_item")
        caller = _Caller(item, context_api.get_current(), current_call())
        self._waiting.add(call.instance, caller)
        return CallerRecording(self._waiting, call.instance, caller)


class CallerRecording:
    """One caller that waits."""

    __slots__ = ("_caller", "_unbatchify", "_waiting")

    def __init__(self, waiting: WaitingCallers, unbatchify: object, caller: _Caller) -> None:
        self._waiting = waiting
        self._unbatchify = unbatchify
        self._caller = caller

    def finish(self, result: Any) -> None:
        """The caller has its result."""
        self._waiting.remove(self._unbatchify, self._caller)

    def fail(self, error: BaseException) -> None:
        """The caller has an exception, its own or the batch's."""
        self._waiting.remove(self._unbatchify, self._caller)


class BatchRecorder:
    """Makes one span of each batch that serves several callers, with links to their spans.

    What is done for one caller alone is a part of its own work, and needs no span to say so.
    A batch whose callers are all of one trace belongs to that trace too, below the first of them; otherwise it has a
    trace of its own. Either way its language model calls count for what is around all of its callers, if anything is,
    and have the attributes and the conversation that all of them have.
    """

    def __init__(self, telemetry: Telemetry, waiting: WaitingCallers) -> None:
        self._telemetry = telemetry
        self._waiting = waiting

    def begin(self, call: Call) -> BatchRecording | None:
        """Start the span of a batch that the thread of the ``Unbatchify`` runs."""
        if vars(call.instance).get("worker_thread") is not threading.current_thread():
            return None
        callers = self._waiting.take(call.instance, call.arguments[0])
        if not callers:
            return None
        active = _call_around(callers).inside(call)
        if len(call.arguments[0]) == 1:
            return BatchRecording(active, enter(with_call(active, callers[0].context)), ())
        context = with_call(active, callers[0].context if _in_one_trace(callers) else context_api.Context())
        opened = open_span(self._telemetry.tracer, SPAN_NAME, context, links=_links(callers))
        if opened.is_recording:
            active.scope = UsageScope(active.scope)
            opened.attributes[semconv.DSPY_BATCH_SIZE] = len(call.arguments[0])
        return BatchRecording(active, opened, [caller.call for caller in callers])


class BatchRecording:
    """One batch under way."""

    __slots__ = ("_active", "_callers", "_opened")

    def __init__(self, active: ActiveCall, opened: OpenSpan | EnteredContext, callers: Sequence[ActiveCall]) -> None:
        self._active = active
        self._opened = opened
        self._callers = callers

    def finish(self, result: Any) -> None:
        """End the span of a batch that has its results."""
        self._end(None)

    def fail(self, error: BaseException) -> None:
        """End the span of a batch that failed, for all of its callers, each of which is handed the exception."""
        is_told = isinstance(self._opened, OpenSpan) and self._opened.is_recording
        self._end(error)
        for errors in [caller.errors for caller in self._callers if is_told and caller.errors is not None]:
            errors.note(error, is_on_span=True, is_logged=False)

    def _end(self, error: BaseException | None) -> None:
        try:
            opened = self._opened
            if isinstance(opened, OpenSpan) and opened.is_recording and self._active.scope is not None:
                opened.attributes.update(usage_attributes(self._active.scope))
        finally:
            self._opened.end(error)


def _call_around(callers: Sequence[_Caller]) -> ActiveCall:
    """Return the record of what the callers have in common; what one of them alone has is none of the batch's."""
    first, *others = [caller.call for caller in callers]
    if not others:
        return first
    is_in_one_example = all(other.example_calls is first.example_calls for other in others)
    is_one_conversation = all(_is_same(other.conversation_id, first.conversation_id) for other in others)
    is_in_one_block = all(other.block is first.block for other in others)
    return replace(
        first if _in_one_trace(callers) else ActiveCall(),
        scope=shared_scope([first.scope, *(other.scope for other in others)]),
        conversation_id=first.conversation_id if is_one_conversation else None,
        attributes=_shared(first.attributes, [other.attributes for other in others]),
        example_calls=first.example_calls if is_in_one_example else None,
        block=first.block if is_in_one_block else None,
        around=first.around if is_in_one_block else None,
    )


def _shared(items: Mapping[str, Any], others: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the items that all mappings have."""
    return {name: value for name, value in items.items() if all(_is_same(value, other.get(name)) for other in others)}


def _is_same(value: object, other: object) -> bool:
    try:
        return value is other or (type(value) is type(other) and bool(value == other))
    except Exception:  # noqa: BLE001 - the application may give what cannot be compared
        return False


def _in_one_trace(callers: Iterable[_Caller]) -> bool:
    """Whether all callers are in one trace; those that are in none are not."""
    traces = {get_current_span(caller.context).get_span_context().trace_id for caller in callers}
    return len(traces) == 1 and INVALID_TRACE_ID not in traces


def _links(callers: Iterable[_Caller]) -> list[Link]:
    contexts = [get_current_span(caller.context).get_span_context() for caller in callers]
    return [Link(context) for context in contexts if context.is_valid]
