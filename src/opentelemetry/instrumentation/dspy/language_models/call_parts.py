"""The parts of one language model call: each is counted once, however often the call's own code goes to DSPy's.

Mostly there is one: DSPy's client makes a request, and DSPy tells its outcome. A subclass that overrides ``forward``
makes as many requests through ``super()`` as it likes and returns one reply; one that overrides ``__call__`` has
several outcomes told; both may ask other language models beside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .outcomes import with_inner, with_requests

if TYPE_CHECKING:
    from collections.abc import Callable

    from .lm_calls import LMCall
    from .outcomes import LMOutcome

__all__ = ["end_request", "note_told", "parts_of"]


def note_told(call: LMCall, returned: Any, read: Callable[[Any, LMCall], LMOutcome]) -> None:
    """Take note of the outcome that DSPy tells of a call, with all that went before it.

    ``returned`` is what DSPy's client or the language model's own code returned, ``read`` reads it.
    """
    requests, call.requests = call.requests, []
    inner, call.inner = call.inner, []
    if len(requests) == 1 and requests[0].returned is returned:
        # The client's own result, with what was noted of its request.
        outcome = _outcome_of(requests[0], read)
        call.told.append(with_requests(outcome, [outcome], inner) if inner else outcome)
        return
    own = read(returned, call)
    # What was noted beside the requests belongs to this reply, not to the next one.
    call.from_cache, call.stored_usage = False, None
    if requests:
        call.told.append(with_requests(own, [_outcome_of(request) for request in requests], inner))
    else:
        call.told.append(with_inner(own, inner) or own)


def end_request(request: LMCall, call: LMCall) -> None:
    """Take note of what is known at the end of a request, whatever its end was."""
    call.endpoint = request.endpoint or call.endpoint
    call.streams = call.streams or request.streams
    call.attempts += request.attempts - 1
    if request.read is not None:
        call.requests.append(request)
    else:
        call.billed += parts_of(request)


def parts_of(call: LMCall) -> list[LMOutcome]:
    """Return what a call that has ended consists of, in no certain order but that what was told last is the last."""
    if not (call.billed or call.requests or call.inner):
        return call.told
    beside = [billed for billed in call.billed if billed.usage.is_known]
    return [*beside, *(_outcome_of(request) for request in call.requests), *call.inner, *call.told]


def _outcome_of(request: LMCall, read: Callable[[Any, LMCall], LMOutcome] | None = None) -> LMOutcome:
    read = read or request.read
    assert read is not None, "only requests that returned something are kept"
    own = read(request.returned, request)
    if not (request.requests or request.inner):
        return own
    nested = [_outcome_of(nested) for nested in request.requests]
    return with_inner(own, [*nested, *request.inner]) or own
