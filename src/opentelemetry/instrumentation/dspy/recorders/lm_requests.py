"""Requests that DSPy's own client makes for a language model: one for most calls, and part of its outcome.

A subclass of ``dspy.LM`` that overrides ``forward`` may make several through ``super()``, at the same time even, and a
language model may go to the ``forward`` of another one. Each request has notes of its own for what DSPy tells on the
way: a look into the cache, a stream, a route.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..budgets.enforcement import BOUNDS
from ..budgets.senders import note_delegation
from ..context import with_call
from ..language_models.call_parts import end_request
from ..language_models.lm_calls import LM_CALL, LMCall, lm_call_in
from ..lm_results import outcome_of_call_result, outcome_of_reply
from ..spans import enter
from ..wrapping.calls import Recording

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..context import Call
    from ..language_models.outcomes import LMOutcome

__all__ = ["ExecutionRecorder", "ForwardRecorder"]


class ExecutionRecorder:
    """``dspy.clients.execution.execute(lm, call)`` and ``aexecute``, on DSPy 3.4."""

    def concerns(self, caller: Call, arguments: tuple[Any, ...]) -> bool:
        """Return whether it is a request of its own: not where DSPy hands the call on to code of the language model's.

        The one request of a call in which there is no such code is noted with the call itself.
        """
        language_model, prepared = arguments
        outer = lm_call_in(caller)
        if outer is None:
            return False
        if not prepared.managed:
            outer.has_own_code = True
            return False
        if outer.language_model is not language_model or outer.has_own_code:
            return True
        if BOUNDS.are_set:
            note_delegation(outer)
        return False

    def begin(self, call: Call) -> RequestRecording | None:
        """Begin a request."""
        return _begin(call, call.arguments[0], outcome_of_call_result)


class ForwardRecorder:
    """``LM.forward(prompt, messages, …)`` and ``aforward``, before."""

    def begin(self, call: Call) -> RequestRecording | None:
        """Begin a request."""
        return _begin(call, call.instance, _outcome_without_outputs)


class RequestRecording(Recording):
    """One request under way."""

    __slots__ = ("_outer", "_read", "_request")

    def __init__(self, request: LMCall, outer: LMCall, read: _Reader) -> None:
        self._request = request
        self._outer = outer
        self._read = read

    def finish(self, result: Any) -> None:
        """Keep what the client returned; it is read when the outcome of the call is told."""
        self._request.returned = result
        self._request.read = self._read

    def end(self, error: BaseException | None) -> None:
        """Hand on what is known of the request; of one that failed, what was billed all the same."""
        end_request(self._request, self._outer)


def _begin(call: Call, language_model: Any, read: _Reader) -> RequestRecording | None:
    outer = lm_call_in(call)
    if outer is None:
        return None
    if BOUNDS.are_set:
        note_delegation(outer)
    request, caller = LMCall(language_model, outer.model, outer.span), call.caller or call
    # What the client calls on its way the language model calls itself.
    inside = caller.part(language_model, caller.owner, caller.attribute)
    LM_CALL.put(inside, request)
    enter(call, with_call(inside))
    return RequestRecording(request, outer, read)


def _outcome_without_outputs(reply: Any, request: LMCall) -> LMOutcome:
    return outcome_of_reply(reply, (), request)


if TYPE_CHECKING:
    _Reader = Callable[[Any, LMCall], LMOutcome]
