"""What DSPy's own bookkeeping knows of a language model call: each recorder here tells it to the call under way.

They make no spans of their own. Each sits where DSPy passes once for every call, history and usage tracker on or off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.semconv._incubating.attributes.gen_ai_attributes import GEN_AI_REQUEST_MODEL
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.util.genai.utils import fq_exception_type

from .. import semconv
from ..context import current_call, lm_call_under_way
from ..language_models.call_parts import note_told
from ..language_models.native_engine import route_of
from ..language_models.providers import model_text
from ..language_models.reply_values import member
from ..lm_results import (
    outcome_of_call_result,
    outcome_of_decision,
    outcome_of_failed_call,
    outcome_of_reply,
    outcome_of_typed_response,
)

if TYPE_CHECKING:
    from ..language_models.lm_calls import LMCall
    from ..patching import Call
    from ..telemetry import Telemetry

__all__ = [
    "CacheRecorder",
    "CallResultRecorder",
    "DecisionRecorder",
    "EngineRecorder",
    "FailedCallRecorder",
    "ReplyRecorder",
    "RetryRecorder",
    "StoredReplyRecorder",
    "StreamRecorder",
    "TypedResponseRecorder",
]


class CallResultRecorder:
    """``dspy.clients.execution.finalize(lm, call, result)``: the end of every successful call on DSPy 3.4."""

    def begin(self, call: Call) -> None:
        """Take the outcome."""
        language_model, _, result = call.arguments
        if (under_way := lm_call_under_way(language_model)) is not None:
            note_told(under_way, result, outcome_of_call_result)


class ReplyRecorder:
    """``BaseLM._process_lm_response(response, prompt, messages, …)``: the same on DSPy before 3.4."""

    def begin(self, call: Call) -> ReplyRecording | None:
        """Wait for the outputs that DSPy reads from the reply."""
        under_way = lm_call_under_way(call.instance)
        return None if under_way is None else ReplyRecording(under_way, call.arguments[0])


class ReplyRecording:
    """One reply that is being read."""

    __slots__ = ("_reply", "_under_way")

    def __init__(self, under_way: LMCall, reply: Any) -> None:
        self._under_way = under_way
        self._reply = reply

    def finish(self, result: Any) -> None:
        """Take the outcome."""
        self._note(result)

    def fail(self, error: BaseException) -> None:
        """Take what the reply cost although DSPy could not read it."""
        self._note(())

    def _note(self, outputs: Any) -> None:
        self._under_way.reply = self._reply
        note_told(self._under_way, self._reply, lambda reply, call: outcome_of_reply(reply, outputs, call))


class TypedResponseRecorder:
    """``BaseLM._finalize_lm_response(request, response)``: the end of a typed call on DSPy 3.3."""

    def begin(self, call: Call) -> None:
        """Take the outcome."""
        under_way, response = lm_call_under_way(call.instance), call.arguments[1]
        # One that DSPy made of a reply was told with the reply.
        if under_way is not None and (under_way.reply is None or response.provider_response is not under_way.reply):
            note_told(under_way, response, outcome_of_typed_response)


class DecisionRecorder:
    """``TypeSafe._finish(request, response, cache_hit)``: the end of a decision client's call."""

    def begin(self, call: Call) -> None:
        """Take the outcome."""
        if (under_way := lm_call_under_way(call.instance)) is not None:
            _, response, cache_hit = call.arguments
            note_told(under_way, response, lambda told, _: outcome_of_decision(told, cache_hit=cache_hit))


class CacheRecorder:
    """``Cache.get(request, …)``: what it returns came from the cache; DSPy 2.6 leaves no other sign of it."""

    def begin(self, call: Call) -> CacheRecording | None:
        """Wait for the answer of the cache, if it is the language model that asks and not an embedder that it uses."""
        under_way = lm_call_under_way(current_call().instance)
        return None if under_way is None else CacheRecording(under_way)


class CacheRecording:
    """One look into the cache."""

    __slots__ = ("_under_way",)

    def __init__(self, under_way: LMCall) -> None:
        self._under_way = under_way

    def finish(self, result: Any) -> None:
        """Note a hit."""
        self._under_way.from_cache = result is not None

    def fail(self, error: BaseException) -> None:
        """Nothing came from the cache."""


class StoredReplyRecorder:
    """``Cache._prepare_cached_response(response)``: empties the usage of a stored LiteLLM reply."""

    def begin(self, call: Call) -> None:
        """Keep the usage that it once had."""
        if (under_way := lm_call_under_way(current_call().instance)) is not None:
            under_way.stored_usage = member(call.arguments[0], "usage")


class EngineRecorder:
    """``dspy.clients.execution._engine(lm, call, …)``: chooses the client of a request, and so its address."""

    def begin(self, call: Call) -> EngineRecording | None:
        """Wait for the choice."""
        under_way = lm_call_under_way(call.arguments[0])
        return None if under_way is None else EngineRecording(under_way)


class EngineRecording:
    """One choice of an engine."""

    __slots__ = ("_under_way",)

    def __init__(self, under_way: LMCall) -> None:
        self._under_way = under_way

    def finish(self, result: Any) -> None:
        """Note where the request goes; one in DSPy's own form is streamed if anybody listens."""
        engine, request, provider = result
        call = self._under_way
        route = route_of(engine, provider, model_text(call.language_model))
        call.endpoint = route.endpoint
        call.engine_provider = route.provider if provider is None else None
        call.streams = request is not None

    def fail(self, error: BaseException) -> None:
        """No engine was found; the error goes on to the call."""


class StreamRecorder:
    """``dspy.clients.lm._get_stream_completion_fn(…)``: returns how LiteLLM streams, nothing where nobody listens."""

    def begin(self, call: Call) -> StreamRecording | None:
        """Wait for what it returns."""
        under_way = lm_call_under_way()
        return None if under_way is None else StreamRecording(under_way)


class StreamRecording:
    """One decision whether to stream."""

    __slots__ = ("_under_way",)

    def __init__(self, under_way: LMCall) -> None:
        self._under_way = under_way

    def finish(self, result: Any) -> None:
        """Note it."""
        self._under_way.streams = result is not None

    def fail(self, error: BaseException) -> None:
        """The error goes on to the call."""


class RetryRecorder:
    """``dspy.clients.execution._delay(error, attempt)``: asked once before each further try, for the pause."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def begin(self, call: Call) -> RetryRecording | None:
        """Wait for the pause."""
        under_way = lm_call_under_way()
        return None if under_way is None else RetryRecording(self._telemetry, under_way, call.arguments[0])


class RetryRecording:
    """One failed attempt that another follows."""

    __slots__ = ("_error", "_telemetry", "_under_way")

    def __init__(self, telemetry: Telemetry, under_way: LMCall, error: BaseException) -> None:
        self._telemetry = telemetry
        self._under_way = under_way
        self._error = error

    def finish(self, result: Any) -> None:
        """Count the attempt and put it on the span."""
        call, error_type = self._under_way, fq_exception_type(self._error)
        call.span.add_event(
            semconv.EVENT_DSPY_LM_RETRY,
            {
                semconv.DSPY_LM_ATTEMPT: call.attempts,
                ERROR_TYPE: error_type,
                semconv.DSPY_LM_RETRY_DELAY: float(result),
            },
        )
        call.attempts += 1
        self._telemetry.metrics.lm_retries.add(1, {GEN_AI_REQUEST_MODEL: call.model, ERROR_TYPE: error_type})

    def fail(self, error: BaseException) -> None:
        """There is no further attempt; the error goes on to the call."""


class FailedCallRecorder:
    """``dspy.clients.execution._account_failed_call(lm, results, error)``: what a failed call was billed."""

    def begin(self, call: Call) -> None:
        """Keep it."""
        language_model, results, _ = call.arguments
        under_way, billed = lm_call_under_way(language_model), outcome_of_failed_call(results)
        if under_way is not None and billed is not None:
            under_way.billed.append(billed)
