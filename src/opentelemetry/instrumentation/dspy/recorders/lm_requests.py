"""Requests that DSPy's own client makes for a language model: one for most calls, and part of its outcome.

A subclass of ``dspy.LM`` that overrides ``forward`` may make several through ``super()``, at the same time even, and a
language model may go to the ``forward`` of another one. Each request has notes of its own for what DSPy tells on the
way: a look into the cache, a stream, a route.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..context import current_call, lm_call_under_way, with_call
from ..language_models.call_parts import end_request
from ..language_models.lm_calls import LMCall
from ..lm_results import outcome_of_call_result, outcome_of_reply
from ..spans import EnteredContext, enter

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..language_models.outcomes import LMOutcome
    from ..patching import Call

__all__ = ["ExecutionRecorder", "ForwardRecorder"]


class ExecutionRecorder:
    """``dspy.clients.execution.execute(lm, call)`` and ``aexecute``, on DSPy 3.4."""

    def begin(self, call: Call) -> RequestRecording | None:
        """Begin a request, unless DSPy hands the call on to code of the language model's own."""
        language_model, prepared = call.arguments
        return _begin(language_model, outcome_of_call_result) if prepared.managed else None


class ForwardRecorder:
    """``LM.forward(prompt, messages, …)`` and ``aforward``, before."""

    def begin(self, call: Call) -> RequestRecording | None:
        """Begin a request."""
        return _begin(call.instance, _outcome_without_outputs)


class RequestRecording:
    """One request under way."""

    __slots__ = ("_entered", "_outer", "_read", "_request")

    def __init__(self, request: LMCall, outer: LMCall, entered: EnteredContext, read: _Reader) -> None:
        self._request = request
        self._outer = outer
        self._entered = entered
        self._read = read

    def finish(self, result: Any) -> None:
        """Keep what the client returned; it is read when the outcome of the call is told."""
        self._request.returned = result
        self._request.read = self._read
        self._end()

    def fail(self, error: BaseException) -> None:
        """Keep what was billed all the same."""
        self._end()

    def _end(self) -> None:
        self._entered.end()
        end_request(self._request, self._outer)


def _begin(language_model: Any, read: _Reader) -> RequestRecording | None:
    outer = lm_call_under_way()
    if outer is None:
        return None
    request = LMCall(language_model, outer.model, outer.span)
    active = current_call()
    inside = active.child(language_model, active.owner, active.attribute)
    inside.language_model_call = request
    return RequestRecording(request, outer, enter(with_call(inside)), read)


def _outcome_without_outputs(reply: Any, request: LMCall) -> LMOutcome:
    return outcome_of_reply(reply, (), request)


if TYPE_CHECKING:
    _Reader = Callable[[Any, LMCall], LMOutcome]
