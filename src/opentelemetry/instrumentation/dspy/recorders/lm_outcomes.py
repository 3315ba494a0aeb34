"""What DSPy's own bookkeeping knows of a language model call: each recorder here tells it to the call under way.

They make no spans of their own. Each sits where DSPy passes once for every call, history and usage tracker on or off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.semconv._incubating.attributes.gen_ai_attributes import GEN_AI_REQUEST_MODEL
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.util.genai.utils import fq_exception_type

from .. import semconv
from ..budgets.enforcement import BOUNDS, admit
from ..language_models.call_parts import note_told
from ..language_models.lm_calls import lm_call_in
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
from ..retrieving.embedding_calls import EMBEDDING
from ..wrapping.calls import Noter

if TYPE_CHECKING:
    from ..context import Call
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


class CallResultRecorder(Noter):
    """``dspy.clients.execution.finalize(lm, call, result)``: the end of every successful call on DSPy 3.4."""

    def before(self, around: Call, instance: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        """Take the outcome."""
        language_model, _, result = arguments
        under_way = lm_call_in(around, language_model)
        if under_way is not None:
            note_told(under_way, result, outcome_of_call_result)


class ReplyRecorder(Noter):
    """``BaseLM._process_lm_response(response, prompt, messages, …)``: the same on DSPy before 3.4."""

    def returned(self, around: Call, instance: Any, arguments: tuple[Any, ...], result: Any) -> None:
        """Take the outcome, with the outputs that DSPy read from the reply."""
        self._note(around, instance, arguments[0], result)

    def raised(self, around: Call, instance: Any, arguments: tuple[Any, ...], error: BaseException) -> None:
        """Take what the reply cost although DSPy could not read it."""
        self._note(around, instance, arguments[0], ())

    def _note(self, around: Call, language_model: Any, reply: Any, outputs: Any) -> None:
        under_way = lm_call_in(around, language_model)
        if under_way is not None:
            under_way.reply = reply
            note_told(under_way, reply, lambda reply, call: outcome_of_reply(reply, outputs, call))


class TypedResponseRecorder(Noter):
    """``BaseLM._finalize_lm_response(request, response)``: the end of a typed call on DSPy 3.3."""

    def before(self, around: Call, instance: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        """Take the outcome."""
        under_way, response = lm_call_in(around, instance), arguments[1]
        # One that DSPy made of a reply was told with the reply.
        if under_way is not None and (under_way.reply is None or response.provider_response is not under_way.reply):
            note_told(under_way, response, outcome_of_typed_response)


class DecisionRecorder(Noter):
    """``TypeSafe._finish(request, response, cache_hit)``: the end of a decision client's call."""

    def before(self, around: Call, instance: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        """Take the outcome."""
        under_way = lm_call_in(around, instance)
        if under_way is not None:
            _, response, cache_hit = arguments
            note_told(under_way, response, lambda told, _: outcome_of_decision(told, cache_hit=cache_hit))


class CacheRecorder(Noter):
    """``Cache.get(request, …)``: what it returns came from the cache; DSPy 2.6 leaves no other sign of it."""

    def returned(self, around: Call, instance: Any, arguments: tuple[Any, ...], result: Any) -> None:
        """Note a hit with whoever asked, a language model or an embedder that it may use."""
        under_way = lm_call_in(around, around.instance)
        if under_way is not None:
            under_way.from_cache = result is not None
        elif result is not None and (embedding := EMBEDDING.of(around)) and embedding.embedder is around.instance:
            embedding.cache_answers += 1


class StoredReplyRecorder(Noter):
    """``Cache._prepare_cached_response(response)``: empties the usage of a stored LiteLLM reply."""

    def before(self, around: Call, instance: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        """Keep the usage that it once had."""
        under_way = lm_call_in(around, around.instance)
        if under_way is not None:
            under_way.stored_usage = member(arguments[0], "usage")


class EngineRecorder(Noter):
    """``dspy.clients.execution._engine(lm, call, …)``: chooses the client of a request, and so its address."""

    def before(self, around: Call, instance: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        """Let a call that is to be sent go on, or stop it: the choice is made behind DSPy's cache."""
        if BOUNDS.are_set and arguments[1].managed:
            admit()

    def returned(self, around: Call, instance: Any, arguments: tuple[Any, ...], result: Any) -> None:
        """Note where the request goes; one in DSPy's own form is streamed if anybody listens."""
        call = lm_call_in(around, arguments[0])
        if call is None:
            return
        engine, request, provider = result
        route = route_of(engine, provider, model_text(call.language_model) if provider is None else "")
        call.endpoint = route.endpoint
        call.engine_provider = route.provider if provider is None else None
        call.streams = request is not None


class StreamRecorder(Noter):
    """``dspy.clients.lm._get_stream_completion_fn(…)``: returns how LiteLLM streams, nothing where nobody listens."""

    def returned(self, around: Call, instance: Any, arguments: tuple[Any, ...], result: Any) -> None:
        """Note whether it streams."""
        under_way = lm_call_in(around)
        if under_way is not None:
            under_way.streams = result is not None


class RetryRecorder(Noter):
    """``dspy.clients.execution._delay(error, attempt)``: asked once before each further try, for the pause."""

    __slots__ = ("_telemetry",)

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def returned(self, around: Call, instance: Any, arguments: tuple[Any, ...], result: Any) -> None:
        """Count the failed attempt, which another follows after the pause, and put it on the span."""
        call = lm_call_in(around)
        if call is None:
            return
        error_type = fq_exception_type(arguments[0])
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


class FailedCallRecorder(Noter):
    """``dspy.clients.execution._account_failed_call(lm, results, error)``: what a failed call was billed."""

    def before(self, around: Call, instance: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        """Keep it."""
        language_model, results, _ = arguments
        under_way, billed = lm_call_in(around, language_model), outcome_of_failed_call(results)
        if under_way is not None and billed is not None:
            under_way.billed.append(billed)
