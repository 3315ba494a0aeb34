"""Calls of ``Unbatchify``, whose one thread runs in batches what its callers ask for one by one."""

from __future__ import annotations

import copy
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import INVALID_TRACE_ID, Link, get_current_span

from opentelemetry import context as context_api

from .. import semconv
from ..blocks import ATTRIBUTES, CONVERSATION_ID
from ..budgets.stop import BudgetExceededError, BudgetStop
from ..context import NO_CALL, Call, with_call
from ..labels.baggage import with_shared_baggage
from ..labels.given import GIVEN, labels_with
from ..locks import ForkSafeLock
from ..optimization.example_calls import EXAMPLE_CALLS
from ..passing_errors import tell_inside
from ..spans import OpenSpan, enter, open_span
from ..usage import SCOPE, UsageScope, shared_scope
from ..usage_attributes import usage_attributes
from ..weak import WeakIdentityMap
from ..wrapping.calls import Recording

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from opentelemetry.context import Context

    from ..telemetry import Telemetry

__all__ = ["BatchRecorder", "CallerRecorder", "WaitingCallers"]

SPAN_NAME = "Unbatchify"


@dataclass(slots=True, eq=False)
class _Caller:
    """Somebody who waits for the result of one item, and where that is in the application."""

    item: object
    context: Context
    call: Call


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
        caller = _Caller(item, context_api.get_current(), call.caller or call)
        self._waiting.add(call.instance, caller)
        return CallerRecording(self._waiting, call.instance, caller)


class CallerRecording(Recording):
    """One caller that waits."""

    __slots__ = ("_caller", "_unbatchify", "_waiting")

    def __init__(self, waiting: WaitingCallers, unbatchify: object, caller: _Caller) -> None:
        self._waiting = waiting
        self._unbatchify = unbatchify
        self._caller = caller

    def fail(self, error: BaseException) -> None:
        """The stop of a budget, which the batch had, goes on as what it was."""
        if isinstance(error, BudgetExceededError) and isinstance(error.__cause__, BudgetStop):
            raise BudgetStop(error.__cause__.scope, error.__cause__.bound)

    def end(self, error: BaseException | None) -> None:
        """The caller has its result or an exception, its own or the batch's."""
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

    def begin(self, call: Call) -> Recording | None:
        """Start the span of a batch that the thread of the ``Unbatchify`` runs."""
        if vars(call.instance).get("worker_thread") is not threading.current_thread():
            return None
        callers = self._waiting.take(call.instance, call.arguments[0])
        if not callers:
            return None
        around = _call_around(callers)
        call.caller, call.kept, call.block = around, around.kept, around.block
        if len(call.arguments[0]) == 1:
            enter(call, with_call(call, callers[0].context))
            return Recording()
        context = callers[0].context if _in_one_trace(callers) else context_api.Context()
        context = with_shared_baggage(context, [caller.context for caller in callers])
        opened, scope = open_span(call, self._telemetry.tracer, SPAN_NAME, context, links=_links(callers)), None
        if opened.is_recording:
            scope = UsageScope.below(SCOPE.of(call))
            SCOPE.put(call, scope)
            opened.attributes[semconv.DSPY_BATCH_SIZE] = len(call.arguments[0])
        return BatchRecording(opened, scope, [caller.call for caller in callers])


class BatchRecording(Recording):
    """One batch of several callers under way."""

    __slots__ = ("_callers", "_opened", "_scope")

    def __init__(self, opened: OpenSpan, scope: UsageScope | None, callers: Sequence[Call]) -> None:
        self._opened = opened
        self._scope = scope
        self._callers = callers

    def end(self, error: BaseException | None) -> None:
        """Record a batch for all of its callers, each of which is handed the exception if it failed."""
        if self._scope is not None:
            self._opened.attributes.update(usage_attributes(self._scope))
        if error is not None and self._opened.is_recording:
            for caller in self._callers:
                tell_inside(caller, error, is_on_span=True, is_logged=False)


def _call_around(callers: Sequence[_Caller]) -> Call:
    """Return the record of what the callers have in common; what one of them alone has is none of the batch's."""
    first, *others = [caller.call for caller in callers]
    if not others:
        return first
    around = first if _in_one_trace(callers) else NO_CALL
    is_in_one_block = all(other.block is first.block for other in others)
    is_in_one_example = all(EXAMPLE_CALLS.of(other) is EXAMPLE_CALLS.of(first) for other in others)
    is_one_conversation = all(_is_same(CONVERSATION_ID.of(other), CONVERSATION_ID.of(first)) for other in others)
    kept = {
        **around.kept,
        SCOPE: shared_scope([SCOPE.of(caller.call) for caller in callers]),
        CONVERSATION_ID: CONVERSATION_ID.of(first) if is_one_conversation else None,
        ATTRIBUTES: _shared(ATTRIBUTES.of(first) or {}, [ATTRIBUTES.of(other) or {} for other in others]),
        GIVEN: labels_with(_shared(_given_to(first), [_given_to(other) for other in others])),
        EXAMPLE_CALLS: EXAMPLE_CALLS.of(first) if is_in_one_example else None,
    }
    shared = copy.copy(around)
    shared.kept = kept
    shared.block = first.block if is_in_one_block else None
    shared.around = first.around if is_in_one_block else None
    return shared


def _given_to(call: Call) -> Mapping[str, Any]:
    labels = GIVEN.of(call)
    return {} if labels is None else labels.attributes


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
